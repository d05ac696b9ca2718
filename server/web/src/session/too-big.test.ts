import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { TooBig } from './too-big';

describe('too big', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('comes back later and later, and says why', () => {
    const connect = vi.fn();
    const tooBig = new TooBig(connect);
    expect(tooBig.reason).toBe('');
    for (const ms of [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]) {
      connect.mockClear();
      tooBig.closed('a message may have 16 MiB');
      vi.advanceTimersByTime(ms - 1);
      expect(connect).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(connect).toHaveBeenCalledOnce();
    }
    expect(tooBig.reason).toContain('a message may have 16 MiB');
    tooBig.saved();
    expect(tooBig.reason).toBe('');
  });

  it('comes back soon after an edit', () => {
    const connect = vi.fn();
    const tooBig = new TooBig(connect);
    tooBig.edited();
    for (let n = 0; n < 4; n += 1) tooBig.closed('too long');
    tooBig.edited();
    vi.advanceTimersByTime(1_000);
    expect(connect).toHaveBeenCalledOnce();
  });
});
