import { expect, it } from 'vitest';
import { isDamage } from './damage';

it('is told from a refusal by the first word', () => {
  expect(isDamage('damaged: the server cannot read it')).toBe(true);
  expect(isDamage('This link is not valid.')).toBe(false);
});
