import { expect, it } from 'vitest';
import { readRemark } from './remark';

it('reads what the server says about saving', () => {
  expect(readRemark('{"saved":false,"reason":"the disk is full (os error 28)"}')).toEqual({
    failing: 'the disk is full (os error 28)',
  });
  expect(readRemark('{"saved":false}')?.failing).toMatch(/cannot save/);
  expect(readRemark('{"saved":true}')).toEqual({ failing: undefined });
});

it.each(['', 'hello', 'null', '7', '[]', '{"changed":["a1"]}'])('%j says nothing about it', (payload) => {
  expect(readRemark(payload)).toBeUndefined();
});
