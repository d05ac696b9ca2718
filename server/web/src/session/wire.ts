import * as decoding from 'lib0/decoding';

/** What a frame means to the {@link Ledger} of its room; other frames mean nothing to it. */
export type LedgerEvent =
  | { room: string; kind: 'step1' | 'step2' | 'update' }
  | { room: string; kind: 'status'; applied: boolean };

/** Hocuspocus message types and y-protocols sync steps that bear on what is durable. */
const SYNC = 0;
const SYNC_REPLY = 4;
const SYNC_STATUS = 8;
const STEP1 = 0;
const STEP2 = 1;
const UPDATE = 2;

/** Reads as much of a Hocuspocus frame as the ledger needs. */
export function readLedgerEvent(frame: Uint8Array): LedgerEvent | undefined {
  // A lone byte is a ping or pong of the connection.
  if (frame.length < 2) return undefined;
  try {
    const decoder = decoding.createDecoder(frame);
    const [room = ''] = decoding.readVarString(decoder).split('\0');
    const type = decoding.readVarUint(decoder);
    if (type === SYNC_STATUS) {
      return { room, kind: 'status', applied: decoding.readVarInt(decoder) === 1 };
    }
    if (type !== SYNC && type !== SYNC_REPLY) return undefined;
    const step = decoding.readVarUint(decoder);
    if (step === STEP1) return { room, kind: 'step1' };
    if (step === STEP2) return { room, kind: 'step2' };
    if (step === UPDATE) return { room, kind: 'update' };
  } catch {
    // Not a frame the ledger knows; the provider judges it.
  }
  return undefined;
}

export interface WireWatcher {
  opened(): void;
  sent(event: LedgerEvent): void;
  /** A message of any kind came, ahead of what it says. */
  heard(): void;
  received(event: LedgerEvent): void;
}

/** A WebSocket class that tells `watcher` what really crosses the wire, before the provider sees it. */
export function watchedSocket(watcher: WireWatcher): typeof WebSocket {
  return class extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      watcher.opened();
      this.addEventListener('message', (message: MessageEvent) => {
        watcher.heard();
        if (!(message.data instanceof ArrayBuffer)) return;
        const event = readLedgerEvent(new Uint8Array(message.data));
        if (event) watcher.received(event);
      });
    }

    override send(data: Parameters<WebSocket['send']>[0]): void {
      super.send(data);
      if (!(data instanceof Uint8Array)) return;
      const event = readLedgerEvent(data);
      if (event) watcher.sent(event);
    }
  };
}
