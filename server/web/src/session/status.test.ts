import { describe, expect, it } from 'vitest';
import { SLOW_SAVE_MS, type StatusFacts, statusOf } from './status';

const calm: StatusFacts = { online: true, wasOnline: true, readonly: false, unsaved: 0, waitingMs: 0 };
const said = (facts: Partial<StatusFacts>) => {
  const { state, text } = statusOf({ ...calm, ...facts });
  return `${state}: ${text}`;
};

describe('status', () => {
  it('is saved only online and with nothing pending', () => {
    expect(said({})).toBe('saved: saved');
    for (const facts of [{ unsaved: 1 }, { online: false }, { refusal: 'no' }]) {
      expect(statusOf({ ...calm, ...facts }).state).not.toBe('saved');
    }
  });

  it('says that it saves, and for how long it has been waiting', () => {
    expect(said({ unsaved: 3, waitingMs: 100 })).toBe('saving: saving…');
    expect(said({ unsaved: 3, waitingMs: SLOW_SAVE_MS + 4_000 })).toBe(
      'saving: saving… the server has not confirmed for 12 s',
    );
  });

  it('counts what is kept here while offline', () => {
    expect(said({ online: false, unsaved: 1 })).toBe('offline: offline: 1 change kept here');
    expect(said({ online: false, unsaved: 12 })).toBe('offline: offline: 12 changes kept here');
    expect(said({ online: false })).toBe('offline: offline: reconnecting…');
    expect(said({ online: false, wasOnline: false })).toBe('offline: connecting…');
  });

  it('puts a refusal above everything', () => {
    expect(said({ refusal: 'the disk is full', unsaved: 1, online: false })).toBe('error: not saved: the disk is full');
  });

  it('calls nothing saved where nothing can be written', () => {
    expect(said({ readonly: true })).toBe('viewing: view only');
    expect(said({ readonly: true, online: false })).toBe('offline: offline: reconnecting…');
    expect(said({ readonly: true, refusal: 'the link has expired' })).toBe('error: not connected: the link has expired');
  });

  it('carries the count that holds the page open', () => {
    expect(statusOf({ ...calm, unsaved: 5 }).unsaved).toBe(5);
  });
});
