import { describe, expect, it } from 'vitest';
import { cleanName, freeColour, initials, randomId, readUser, samePerson } from './person';

describe('names', () => {
  it('lose blanks and control characters, and have an end', () => {
    expect(cleanName('  Ada\n\tLovelace\u0000 ')).toBe('Ada Lovelace');
    expect(cleanName(' \n ')).toBe('');
    expect(Array.from(cleanName('🎻'.repeat(100)))).toHaveLength(40);
  });

  it('have initials', () => {
    expect(initials('Ada Lovelace')).toBe('AL');
    expect(initials('ada')).toBe('A');
    expect(initials('🎻 section')).toBe('🎻S');
    expect(initials('')).toBe('?');
  });
});

describe('an awareness state, which anybody may write', () => {
  it('names a person with a colour that is safe in a style', () => {
    expect(readUser({ user: { name: 'Ada', color: '#ff0000', colorLight: '#ff000033' } })).toEqual({
      name: 'Ada', color: '#ff0000', colorLight: '#ff000033',
    });
    expect(readUser({ user: { name: 'Eve', color: 'red; background: url(http://x)' } })?.color).toBe('#5c677d');
    expect(readUser({ user: { name: '', color: 7 } })?.name).toBe('Somebody');
  });

  it.each([null, undefined, {}, { user: null }, { user: 'Ada' }, { user: { name: 7 } }])('%j names nobody', (state) => {
    expect(readUser(state)).toBeUndefined();
  });
});

describe('one person in two rooms', () => {
  const ada = { name: 'Ada', color: 'red', colorLight: 'pink' };

  it('is known by id, else by name and colour', () => {
    expect(samePerson({ ...ada, id: '1' }, { ...ada, id: '1', name: 'Ada L' })).toBe(true);
    expect(samePerson({ ...ada, id: '1' }, { ...ada, id: '2' })).toBe(false);
    expect(samePerson(ada, { ...ada, id: '2' })).toBe(true);
    expect(samePerson(ada, { ...ada, color: 'blue' })).toBe(false);
  });
});

it('colours run out', () => {
  const taken = new Set<string>();
  for (let next = freeColour(taken); next; next = freeColour(taken)) taken.add(next);
  expect(taken.size).toBeGreaterThan(7);
  expect(freeColour(taken)).toBeUndefined();
});

it('ids keep to the rules and differ', () => {
  const ids = new Set(Array.from({ length: 200 }, randomId));
  expect(ids.size).toBe(200);
  for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{16}$/);
});
