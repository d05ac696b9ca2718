// Unmodified Yjs clients of several versions in one process, driven by tests/src/stock.rs.

import WebSocket from "ws";
import * as Y from "yjs";
import { LONG_MS, serve } from "./lines.mjs";

/** name → client */
const clients = new Map();

/** A client: its document, its provider, and what has happened to it. */
class Client {
  constructor() {
    this.doc = new Y.Doc();
    this.happened = {};
    this.watchers = new Set();
    this.doc.on("update", () => this.look());
  }

  get text() {
    return this.doc.getText("content");
  }

  /** Notes that something happened, with what came with it. */
  note(event, value = true) {
    this.happened[event] = value;
    this.look();
  }

  /** Lets those who wait look again. */
  look() {
    for (const watcher of this.watchers) watcher();
  }

  /** Waits until `condition` gives something other than undefined. */
  until(condition, what) {
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => {
        this.watchers.delete(watcher);
        const seen = JSON.stringify({ happened: this.happened, text: this.text.toString(), peers: this.peers() });
        reject(new Error(`waited for ${what}; it has ${seen}`));
      }, LONG_MS);
      const watcher = () => {
        const found = condition();
        if (found === undefined) return;
        clearTimeout(limit);
        this.watchers.delete(watcher);
        resolve(found);
      };
      this.watchers.add(watcher);
      watcher();
    });
  }

  /** The names of everyone whose awareness this client holds, its own among them. */
  peers() {
    const states = [...this.provider.awareness.getStates().values()];
    return states.flatMap((state) => state.user?.name ?? []).sort();
  }
}

function yWebsocket(client, { WebsocketProvider }, { server, project, document, token }) {
  client.provider = new WebsocketProvider(`${server}/ws/${project}`, document, client.doc, {
    WebSocketPolyfill: WebSocket,
    params: { token },
    disableBc: true,
  });
  client.provider.on("sync", (synced) => synced && client.note("synced"));
  client.provider.on("connection-close", (event) => client.note("closed", event?.code ?? null));
  client.close = () => client.provider.destroy();
}

function hocuspocus(client, { HocuspocusProvider, HocuspocusProviderWebsocket }, { server, project, document, token }) {
  const socket = new HocuspocusProviderWebsocket({ url: `${server}/collab`, WebSocketPolyfill: WebSocket });
  client.provider = new HocuspocusProvider({
    websocketProvider: socket,
    name: `${project}/${document}`,
    document: client.doc,
    token,
    onSynced: () => client.note("synced"),
    // Version 2 passes nothing on.
    onAuthenticated: () => client.note("scope", client.provider.authorizedScope),
    onAuthenticationFailed: ({ reason }) => client.note("denied", reason),
    onClose: ({ event }) => client.note("closed", event?.code ?? null),
  });
  // An option of that name is known to later versions only.
  client.provider.on("unsyncedChanges", () => client.look());
  // From version 3 on a provider with a socket that was made elsewhere waits to be attached to it.
  client.provider.attach?.();
  client.close = () => {
    client.provider.destroy();
    socket.destroy();
  };
}

const get = (name) => {
  const client = clients.get(name);
  if (!client) throw new Error(`no client ${name}`);
  return client;
};

const conditions = {
  saved: (client) => () => (client.provider.hasUnsyncedChanges ? undefined : true),
  text: (client, value) => () => (client.text.toString() === value ? value : undefined),
  peers: (client, value) => () => (JSON.stringify(client.peers()) === JSON.stringify(value) ? value : undefined),
};

const actions = {
  async connect(request) {
    const client = new Client();
    clients.set(request.client, client);
    const library = await import(request.package);
    const connect = request.package.startsWith("y-websocket") ? yWebsocket : hocuspocus;
    connect(client, library, request);
    client.provider.awareness.on("change", () => client.look());
  },

  wait({ client: name, event, value }) {
    const client = get(name);
    const condition = conditions[event]?.(client, value) ?? (() => client.happened[event]);
    return client.until(condition, `${event} of ${name}`);
  },

  insert({ client, index, text }) {
    get(client).text.insert(index, text);
  },

  // At once, so that no answer comes in between; how many of them are not acknowledged.
  burst({ client, texts }) {
    for (const text of texts) get(client).text.insert(0, text);
    return get(client).provider.unsyncedChanges;
  },

  unsaved({ client }) {
    return get(client).provider.unsyncedChanges;
  },

  text({ client }) {
    return get(client).text.toString();
  },

  announce({ client, user }) {
    get(client).provider.awareness.setLocalStateField("user", { name: user });
  },

  leave({ client: name }) {
    get(name).close();
    clients.delete(name);
  },
};

await serve(actions, () => {
  for (const client of clients.values()) client.close();
});
