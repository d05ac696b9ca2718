import { HocuspocusProviderWebsocket } from '@hocuspocus/provider';
import type { Ledger } from './ledger';
import { watchedSocket } from './wire';

export interface SocketOwner {
  ledgers(): Iterable<Ledger>;
  /** The ledger of a room, by its name in the frames. */
  ledger(roomName: string): Ledger | undefined;
  /** The connection, or what has been acknowledged over it, has changed. */
  changed(): void;
  /** The server has said something. */
  heard(): void;
  /** The connection is gone: the server's reason where it will not take what we sent, else nothing. */
  closed(reason: string): void;
  /** The same where a message was too long. */
  tooBig(reason: string): void;
}

const TOO_BIG = 1009;

/** The one socket of a project, not connected yet, whose frames are counted in its rooms' ledgers. */
export function openSocket(url: string, owner: SocketOwner): HocuspocusProviderWebsocket {
  return new HocuspocusProviderWebsocket({
    url,
    autoConnect: false,
    delay: 500,
    minDelay: 300,
    factor: 1.6,
    maxDelay: 8_000,
    WebSocketPolyfill: watchedSocket({
      opened: () => {
        for (const ledger of owner.ledgers()) ledger.connected();
      },
      sent: ({ room, kind }) => {
        const ledger = owner.ledger(room);
        if (kind === 'step1') ledger?.sentStep1();
        else if (kind === 'step2') ledger?.sentStep2();
        else ledger?.sentUpdate();
      },
      heard: () => owner.heard(),
      received: (event) => {
        if (event.kind !== 'status') return;
        owner.ledger(event.room)?.acknowledged(event.applied);
        owner.changed();
      },
    }),
    onClose: ({ event }) => {
      if (event.code === TOO_BIG) owner.tooBig(event.reason ?? '');
      else owner.closed(saysWhy(event.code) ? (event.reason ?? '') : '');
      owner.changed();
    },
    onStatus: () => owner.changed(),
  });
}

/** Whether a close code tells that the server will not take what we sent. */
function saysWhy(code: number): boolean {
  const forcedByProvider = 4408;
  return code >= 4400 && code < 4500 && code !== forcedByProvider;
}
