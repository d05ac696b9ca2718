import { describe, expect, it } from 'vitest';
import { checkPath, foldPath } from './path';

// The table of protocol/src/path.rs: what the page lets through, the bridge writes to disk.
const REFUSED = [
  '', 'a//b', 'a/', '/etc/passwd', '\\\\host\\share', 'C:/x', 'c:x', '..', 'a/../b', './a',
  '.git/hooks/post-checkout', 'sub/.git/config', '.GIT/config', '.gi\u200ct/config', '\uff0egit/config',
  '.g\u00adit/config', '.git\ufe0f/config', '.g\u{e0061}it/config', 'sub/git~23/config', 'gi7EB0~1/config',
  '.git::$INDEX_ALLOCATION/config', '.git./config', 'TUTTI~1/project.toml', 'tu0a1b~2', 'co\u200dn',
  'GIT~1/config', '.Tutti/project.toml', 'docs/.tutti/project.toml', 'docs/tutti~1', 'CON', 'a/nul.txt', 'com1', 'lpt\u00b9', 'a\0b', 'a\nb', 'a\\b',
  'file:stream', 'exe.\u202egpj', 'a./b', 'a ', 'x'.repeat(256), 'abcdefg/'.repeat(128) + 'x',
];

const ALLOWED = [
  'a', 'src/main.rs', '.gitignore', '.github/workflows/ci.yml', 'naïve/ファイル.txt',
  'console.rs', 'com10', 'a b/c.d.e', '...x', 'git~', 'gifted~1', 'a~1.b', '\u2615\ufe0f.txt',
];

describe('paths', () => {
  it.each(REFUSED)('refuses %j with a sentence', (path) => {
    expect(checkPath(path)).toMatch(/^\S.*[.]$/s);
  });

  it.each(ALLOWED)('allows %j', (path) => {
    expect(checkPath(path)).toBeUndefined();
  });

  it('counts bytes, not characters', () => {
    expect(checkPath('é'.repeat(127))).toBeUndefined();
    expect(checkPath('é'.repeat(128))).toBeDefined();
  });

  it('fold as a file system would', () => {
    expect(foldPath('D/Cafe\u0301.TXT')).toBe(foldPath('d/caf\u00e9.txt'));
    expect(foldPath('a')).not.toBe(foldPath('b'));
  });
});
