import { HocuspocusProvider, type HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { Ledger } from './ledger';
import { readRemark } from './remark';

export interface RoomListener {
  /** The person at this page has made an edit. */
  edited(room: Room, update: Uint8Array): void;
  /** Something that the page shows has changed. */
  changed(room: Room): void;
  /** Somebody's presence in this room has changed. */
  presence(room: Room): void;
}

/** One document that this page takes part in. */
export class Room {
  readonly doc = new Y.Doc();
  readonly ledger = new Ledger();
  readonly #provider: HocuspocusProvider;
  readonly #socket: HocuspocusProviderWebsocket;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  /** Whether the document has been loaded from the server once. */
  loaded = false;
  /** Whether the server has let us into the room on this connection. */
  joined = false;
  /** Whether we were in the room and are not now, whatever the reason. */
  dropped = false;
  /** Why the server keeps us out, where it does. */
  denied: string | undefined;
  /** Why the server cannot save at the moment, where it said so; it goes on trying. */
  failing: string | undefined;
  readonly = false;

  constructor(
    readonly name: string,
    socket: HocuspocusProviderWebsocket,
    token: () => string,
    /** Edits that an earlier page could not save. */
    left: readonly Uint8Array[],
    listener: RoomListener,
  ) {
    this.#socket = socket;
    for (const update of left) {
      // What these edits build on may still be missing: then Yjs holds them back, and sends them all the same.
      Y.applyUpdate(this.doc, update);
      this.ledger.edited();
    }
    // Ahead of the provider's own observer, so that an edit is in the ledger before its frame.
    this.doc.on('update', (update: Uint8Array, origin: unknown) => {
      if (origin === this.#provider) return;
      this.ledger.edited();
      listener.edited(this, update);
      listener.changed(this);
    });
    this.#provider = new HocuspocusProvider({
      name,
      websocketProvider: socket,
      document: this.doc,
      token,
      onAuthenticated: ({ scope }) => {
        this.joined = true;
        this.dropped = false;
        this.failing = undefined;
        this.denied = undefined;
        this.readonly = scope === 'readonly';
        // With a new clock: the others may have seen our state of before go with the old connection.
        this.awareness.setLocalState(this.awareness.getLocalState());
        listener.changed(this);
      },
      onAuthenticationFailed: ({ reason }) => {
        this.joined = false;
        this.denied = reason;
        listener.changed(this);
      },
      onSynced: () => {
        this.loaded = true;
        this.#failures = 0;
        listener.changed(this);
      },
      onClose: () => {
        this.dropped ||= this.joined;
        this.joined = false;
        this.failing = undefined;
        listener.changed(this);
      },
      onStateless: ({ payload }) => {
        const remark = readRemark(payload);
        if (!remark) return;
        this.failing = remark.failing;
        listener.changed(this);
      },
      onUnsyncedChanges: () => listener.changed(this),
      onAwarenessChange: () => listener.presence(this),
    });
    // The server ended this room alone (type 7) while the socket stays: come back by ourselves.
    this.#provider.on('close', () => this.#rejoinLater());
    this.#provider.attach();
  }

  get awareness(): Awareness {
    const { awareness } = this.#provider;
    if (!awareness) throw new Error('a room always has awareness');
    return awareness;
  }

  /** Asks for the room again after the server ended it. */
  #rejoin(): void {
    this.#retry = undefined;
    if (!this.#open) return;
    this.ledger.connected();
    this.denied = undefined;
    // Not by detaching first: that would send a Close for a room that is closed already.
    void this.#provider.onOpen(new Event('open'));
  }

  /** Leaves the room for good. The caller sees to it that nothing is pending. */
  leave(): void {
    clearTimeout(this.#retry);
    this.#provider.destroy();
    this.doc.destroy();
  }

  get #open(): boolean {
    return this.#socket.webSocket?.readyState === WebSocket.OPEN;
  }

  #rejoinLater(): void {
    if (!this.#open || this.#retry !== undefined) return;
    this.#failures += 1;
    const delayMs = Math.min(30_000, 500 * 2 ** this.#failures) * (0.5 + Math.random() / 2);
    this.#retry = setTimeout(() => this.#rejoin(), delayMs);
  }
}
