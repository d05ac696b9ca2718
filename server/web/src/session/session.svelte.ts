import type { HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import { isDamage } from '../lib/damage';
import { DeletedFiles } from '../lib/deleted';
import { addFile, BLOBS_ROOT, FILES_ROOT, readEntries, removeFiles, renameFiles, shownFiles, type ShownFile } from '../lib/files';
import { cleanName, freeColour, type Peer, randomId, readUser, rememberName, samePerson, type User } from '../lib/person';
import { type Restored, RestoredFiles } from '../lib/restored';
import { TOLD_MS, ToldFiles } from '../lib/told';
import { Hearing } from './hearing';
import type { Keep } from './keep';
import { Room } from './room';
import { openSocket } from './socket';
import { type Status, statusOf } from './status';
import { TooBig } from './too-big';

/** The file in the editor. A new object whenever something about it changes. */
export interface OpenFile {
  id: string;
  path: string;
  room: Room;
  /** Its text is here. */
  loaded: boolean;
  /** Why the server keeps us out of it. */
  denied: string | undefined;
  /** Its entry has been taken out of the index. */
  gone: boolean;
  /** Who has done that, as far as they have told. */
  goneBy: string | undefined;
}

/** What came of asking the server for a token in the place of a refused one. */
export type Admission = { admitted: true } | { admitted: false; reason?: string };

const INDEX = 'index';
/** For how long changes of the index are collected before the tree shows them. */
const INDEX_PAUSE_MS = 30;
/** Without any acknowledgement for this long the connection is made anew, with a full exchange. */
const STUCK_MS = 25_000;

/** A person's stay in one project: its rooms on one socket, and what the page shows of them. */
export class Session {
  /** The index has been loaded once. */
  loaded = $state(false);
  /** Why the server keeps us out of the project; empty while that is being found out. */
  denied = $state<string>();
  /** `undefined` until the server has said so. */
  readonly = $state<boolean>();
  files = $state.raw<ShownFile[]>([]);
  peers = $state.raw<Peer[]>([]);
  open = $state.raw<OpenFile>();
  /** The file on the page, where it is no text. */
  picked = $state.raw<ShownFile>();
  /** The file on the page, where somebody's deletion of it came to nothing. */
  restored = $state.raw<Restored>();
  /** Files that this person had deleted, and that somebody has brought back. */
  returned = $state.raw<string[]>([]);
  following = $state.raw<User>();
  user = $state.raw<User>() as User;
  status = $state.raw<Status>({ state: 'offline', text: 'connecting…', unsaved: 0 });

  readonly #socket: HocuspocusProviderWebsocket;
  readonly #rooms = new Map<string, Room>();
  readonly #index: Room;
  readonly #listener = {
    changed: (room: Room) => this.#changed(room),
    presence: (room: Room) => this.#presence(room),
    edited: (room: Room, update: Uint8Array) => {
      this.keep.hold(room.name, update);
      this.#tooBig.edited();
    },
  };
  readonly #tooBig = new TooBig(() => this.reconnect());
  readonly #hearing = new Hearing();
  readonly #restored = new RestoredFiles();
  readonly #deleted = new DeletedFiles();
  readonly #renamed = new ToldFiles();
  #wasOnline = false;
  #closeReason = '';
  #unsaved = 0;
  #progressAt = 0;
  #indexTimer: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;

  /** `token` is asked for on each joining of a room, `admit` when it was refused: it tells whether there is a new one. */
  constructor(
    readonly project: string,
    collab: string,
    user: User,
    readonly token: () => string,
    readonly admit: () => Promise<Admission>,
    readonly keep: Keep,
  ) {
    this.user = user;
    this.#socket = openSocket(collab, {
      ledgers: () => [...this.#rooms.values()].map((room) => room.ledger),
      ledger: (roomName) => this.#rooms.get(roomName.slice(this.project.length + 1))?.ledger,
      changed: () => this.#updateStatus(),
      heard: () => {
        if (this.#hearing.heard(Date.now())) this.#updateStatus();
      },
      closed: (reason) => {
        this.#closeReason = reason;
      },
      tooBig: (reason) => {
        this.#socket.disconnect();
        this.#tooBig.closed(reason);
      },
    });
    this.#index = this.#join(INDEX);
    for (const root of [FILES_ROOT, BLOBS_ROOT]) {
      this.#index.doc.getMap(root).observeDeep(() => this.#readIndexSoon());
    }
    this.#showPresence();
    // Edits that an earlier page left behind go to the server whether or not their file is opened.
    for (const name of keep.rooms) this.#join(name.slice(project.length + 1));
    window.addEventListener('pagehide', this.#flush);
    window.addEventListener('offline', this.#networkGone);
    window.addEventListener('online', this.#networkBack);
    window.addEventListener('pageshow', this.#shownAgain);
    document.addEventListener('visibilitychange', this.#connectNow);
    void this.#socket.connect();
  }

  /** Opens a file of the index: a text in the editor, anything else as what it is. */
  openFile(id: string): void {
    if (this.open?.id === id) return;
    const file = this.files.find((file) => file.id === id);
    if (!file) return;
    this.restored = undefined;
    if (file.blob) {
      this.closeFile();
      this.picked = file;
      return;
    }
    this.picked = undefined;
    const left = this.open?.room;
    const room = this.#rooms.get(id) ?? this.#join(id);
    this.open = describe(room, file);
    room.awareness.setLocalState({ user: this.user });
    left?.awareness.setLocalState(null);
    this.#showPresence();
    this.#leaveFinishedRooms();
  }

  closeFile(): void {
    this.picked = undefined;
    this.restored = undefined;
    const left = this.open?.room;
    if (!left) return;
    this.open = undefined;
    left.awareness.setLocalState(null);
    this.#showPresence();
    this.#leaveFinishedRooms();
  }

  /** Makes an empty file and opens it. The path has been checked. */
  createFile(path: string): void {
    const id = randomId();
    addFile(this.#index.doc, id, path, this.user.name, Date.now());
    this.#readIndex();
    this.following = undefined;
    // Nobody else has this document yet, so there is nothing to wait for.
    this.#join(id).loaded = true;
    this.openFile(id);
  }

  rename(paths: ReadonlyMap<string, string>): void {
    this.#renamed.add(paths.keys(), Date.now());
    this.#tellOfFiles();
    renameFiles(this.#index.doc, paths);
  }

  remove(ids: Iterable<string>): void {
    const all = [...ids];
    this.#deleted.deletes(all, Date.now());
    this.#tellOfFiles();
    removeFiles(this.#index.doc, all);
  }

  /** Puts the entry of the open file back after somebody took it out. */
  restoreOpenFile(): void {
    if (this.open?.gone) {
      this.#restored.putBack(this.open.id);
      this.#deleted.putBack(this.open.id);
      addFile(this.#index.doc, this.open.id, this.open.path, this.user.name, Date.now());
    }
  }

  setName(input: string): void {
    const name = cleanName(input);
    if (!name) return;
    rememberName(name, localStorage);
    this.#setUser({ ...this.user, name });
  }

  /** Goes where `user` goes from now on. */
  follow(user: User): void {
    this.following = user;
    this.#goAfterFollowed();
  }

  unfollow(): void {
    this.following = undefined;
  }

  /** Drops the connection and makes a new one: a full exchange of all that is not saved. */
  reconnect(): void {
    this.#socket.shouldConnect = true;
    if (this.#socket.webSocket) this.#socket.webSocket.close();
    else void this.#socket.connect();
  }

  destroy(): void {
    window.removeEventListener('pagehide', this.#flush);
    window.removeEventListener('offline', this.#networkGone);
    window.removeEventListener('online', this.#networkBack);
    window.removeEventListener('pageshow', this.#shownAgain);
    document.removeEventListener('visibilitychange', this.#connectNow);
    clearInterval(this.#ticker);
    clearTimeout(this.#indexTimer);
    this.#tooBig.destroy();
    for (const room of this.#rooms.values()) room.leave();
    this.#rooms.clear();
    this.#socket.destroy();
  }

  /** Gives up what is not saved, and starts again with what the server has. */
  async discard(): Promise<void> {
    await this.keep.discard();
    this.status = { ...this.status, unsaved: 0 };
    location.reload();
  }

  #flush = () => this.keep.flush();

  /** Does not wait for the backoff when there is a reason to think that the network is back. */
  #connectNow = () => {
    if (document.visibilityState === 'hidden') return this.#flush();
    if (this.#socket.shouldConnect && this.#socket.status === 'disconnected') void this.#socket.connect();
  };

  #networkGone = () => {
    this.#hearing.networkGone();
    this.#updateStatus();
  };

  /** A connection of before may never find out that it is dead. */
  #networkBack = () => {
    if (this.#hearing.lost && this.#socket.status === 'connected') this.reconnect();
    else this.#connectNow();
  };

  /** The provider takes our presence away when the page is hidden for the back button's cache. */
  #shownAgain = (event: PageTransitionEvent) => {
    if (!event.persisted) return;
    this.#showPresence();
    this.open?.room.awareness.setLocalState({ user: this.user });
    this.#connectNow();
  };

  #join(id: string): Room {
    const name = `${this.project}/${id}`;
    const room = new Room(name, this.#socket, this.token, this.keep.take(name), this.#listener);
    this.#rooms.set(id, room);
    return room;
  }

  #changed(room: Room): void {
    // The first call comes out of the index room's own constructor.
    if (room === this.#index) {
      if (room.denied !== undefined && this.denied === undefined) this.#turnedAway(room.denied);
      if (room.joined) {
        this.denied = undefined;
        this.#wasOnline = true;
        this.readonly = room.readonly;
      }
      if (room.loaded && !this.loaded) {
        this.#readIndex();
        this.loaded = true;
      }
    } else if (room === this.open?.room) {
      const { loaded, denied } = room;
      if (loaded !== this.open.loaded || denied !== this.open.denied) {
        this.open = { ...this.open, loaded, denied };
      }
    }
    this.#updateStatus();
    this.#leaveFinishedRooms();
  }

  /** The server does not let us in. A link for a limited number of people is exchanged once. */
  #turnedAway(reason: string): void {
    this.denied = '';
    this.#socket.disconnect();
    if (isDamage(reason)) {
      this.denied = reason;
      this.#updateStatus();
      return;
    }
    this.admit().then(
      (admission) => {
        if (admission.admitted) this.reconnect();
        else this.denied = admission.reason ?? reason;
        this.#updateStatus();
      },
      () => {
        this.denied = reason;
        this.#updateStatus();
      },
    );
  }

  /** A project that is being uploaded changes its index thousands of times. */
  #readIndexSoon(): void {
    this.#indexTimer ??= setTimeout(() => this.#readIndex(), INDEX_PAUSE_MS);
  }

  #readIndex(): void {
    clearTimeout(this.#indexTimer);
    this.#indexTimer = undefined;
    this.files = shownFiles(readEntries(this.#index.doc));
    const back = this.#deleted.back(this.files);
    if (back.length > 0) this.returned = back;
    const { picked } = this;
    if (picked) this.picked = this.files.find((file) => file.id === picked.id && file.blob);
    if (!this.open) return;
    const { id, path, gone } = this.open;
    const now = this.files.find((file) => file.id === id);
    if ((now?.path ?? path) !== path || !now !== gone) {
      const goneBy = now ? undefined : this.#deleted.by(id);
      this.open = { ...this.open, path: now?.path ?? path, gone: !now, goneBy };
    }
  }

  #presence(room: Room): void {
    if (room !== this.#index) return;
    const shown = this.open?.id ?? this.picked?.id;
    const states = new Map(room.awareness.getStates());
    states.delete(room.doc.clientID);
    this.#deleted.hear(states);
    this.restored = this.#restored.news(states).findLast(({ id }) => id === shown) ?? this.restored;
    const peers: Peer[] = [];
    for (const [clientId, state] of room.awareness.getStates()) {
      const you = clientId === room.doc.clientID;
      const user = readUser(state);
      if (!user) continue;
      peers.push({ clientId, user, you, ...(typeof state.file === 'string' ? { file: state.file } : {}) });
    }
    peers.sort((a, b) => Number(b.you) - Number(a.you) || a.user.name.localeCompare(b.user.name) || a.clientId - b.clientId);
    this.peers = peers;
    this.#yieldColour();
    this.#goAfterFollowed();
  }

  /** Of two people in one colour, the one who came with the larger client id takes another. */
  #yieldColour(): void {
    const { color } = this.user;
    const taken = new Set(this.peers.filter((peer) => !peer.you).map((peer) => peer.user.color));
    const yields = this.peers.some(
      (peer) => !peer.you && peer.user.color === color && peer.clientId < this.#index.doc.clientID,
    );
    const free = yields ? freeColour(taken) : undefined;
    if (free) this.#setUser({ ...this.user, color: free, colorLight: `${free}33` });
  }

  #setUser(user: User): void {
    this.user = user;
    this.#showPresence();
    this.open?.room.awareness.setLocalStateField('user', user);
  }

  #goAfterFollowed(): void {
    const { following } = this;
    if (!following) return;
    const peer = this.peers.find((peer) => !peer.you && samePerson(peer.user, following));
    if (peer?.file) this.openFile(peer.file);
  }

  /** Whoever has one of them open hears by whom before they hear what becomes of it. */
  #tellOfFiles(): void {
    this.#showPresence();
    setTimeout(() => this.#showPresence(), TOLD_MS);
  }

  #showPresence(): void {
    const deleted = this.#deleted.tells(Date.now());
    const renamed = this.#renamed.tells(Date.now());
    this.#index.awareness.setLocalState({
      user: this.user,
      ...(this.open ? { file: this.open.id } : {}),
      ...(deleted ? { deleted } : {}),
      ...(renamed ? { renamed } : {}),
    });
  }

  /** A room that is not shown any more stays until all its edits are durable. */
  #leaveFinishedRooms(): void {
    for (const [id, room] of this.#rooms) {
      if (room === this.#index || room === this.open?.room) continue;
      if (room.ledger.pending > 0 || !room.ledger.idle) continue;
      this.#rooms.delete(id);
      room.leave();
    }
  }

  #updateStatus(): void {
    const now = Date.now();
    let unsaved = 0;
    let refusal: string | undefined;
    for (const room of this.#rooms.values()) {
      unsaved += room.ledger.pending;
      if (room.ledger.pending === 0) this.keep.release(room.name);
      if (room.ledger.refused) refusal = 'the server refused a change';
      else if (room.ledger.pending > 0) refusal ??= room.denied ?? failure(room);
    }
    if (unsaved < this.#unsaved || this.#unsaved === 0) this.#progressAt = now;
    this.#unsaved = unsaved;
    if (this.denied) refusal ??= this.denied;
    const joined = (this.#index?.joined ?? false) && !this.open?.room.dropped;
    const connected = this.#socket.status === 'connected' && joined;
    if (connected) this.#closeReason = '';
    if (this.#closeReason && unsaved > 0) refusal ??= this.#closeReason;
    if (unsaved === 0) this.#tooBig.saved();
    else if (this.#tooBig.reason) refusal ??= this.#tooBig.reason;
    const waitingMs = now - this.#progressAt;
    this.#hearing.check(now, waitingMs);
    const next = statusOf({
      online: connected && !this.#hearing.lost,
      wasOnline: this.#wasOnline,
      readonly: this.readonly ?? false,
      unsaved,
      waitingMs,
      ...(refusal === undefined ? {} : { refusal }),
    });
    if (next.state !== this.status.state || next.text !== this.status.text || next.unsaved !== this.status.unsaved) {
      this.status = next;
    }
    if (connected && unsaved > 0 && next.state !== 'error' && waitingMs > STUCK_MS) {
      this.#progressAt = now;
      this.reconnect();
    }
    if (unsaved > 0) this.#ticker ??= setInterval(() => this.#updateStatus(), 1_000);
    else {
      clearInterval(this.#ticker);
      this.#ticker = undefined;
    }
  }
}

function failure(room: Room): string | undefined {
  return room.failing !== undefined ? `${room.failing}; the server tries again` : undefined;
}

function describe(room: Room, file: ShownFile): OpenFile {
  return { id: file.id, path: file.path, room, loaded: room.loaded, denied: room.denied, gone: false, goneBy: undefined };
}
