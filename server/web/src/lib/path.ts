/** Which paths a file of a project may have: the rules of `protocol/src/path.rs`. */

const PATH_MAX_BYTES = 1024;
const NAME_MAX_BYTES = 255;

/** Most paths, for which all is quicker: a project has thousands of them. */
const ASCII = /^[\x00-\x7f]*$/;

const REFUSED = /[\p{Cc}\\:*?"<>|\u202a-\u202e\u2066-\u2069\u2028\u2029]/u;
/** What a case-folding ext4 ignores in names; HFS+ does so with some of them (git's CVE-2014-9390). */
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;
/** The names that Windows may give to `.git` and `.tutti` besides. */
const SHORT_GIT = /^(git|gi[0-9a-f]{4})~[0-9]+$/;
const SHORT_TUTTI = /^(tutti|tu[0-9a-f]{4})~[0-9]+$/;
const WINDOWS_DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|com[0-9]|lpt[0-9])$/;

/** Why `path` is no path for a file, as a sentence for people; `undefined` where it is one. */
export function checkPath(path: string): string | undefined {
  if (path === '') return 'Type a path, such as src/main.rs.';
  if (/^([/\\]|[a-z]:)/i.test(path)) {
    return 'Write the path from the top of the project, without a leading / or a drive.';
  }
  if (bytes(path) > PATH_MAX_BYTES) return `A path has at most ${PATH_MAX_BYTES} bytes; use a shorter one.`;
  for (const part of path.split('/')) {
    const problem = checkPart(part);
    if (problem) return problem;
  }
  return undefined;
}

/** What two paths share that a case-folding, normalising file system takes for one. */
export function foldPath(path: string): string {
  if (ASCII.test(path)) return path.toLowerCase();
  return Array.from(path.replace(IGNORABLE, '').normalize('NFKC'), (char) => char.toLowerCase()).join('');
}

function checkPart(part: string): string | undefined {
  if (part === '') return 'A path needs a name between its slashes, and at its end.';
  if (part === '.' || part === '..') return 'A path cannot contain . or .. as a folder.';
  if (bytes(part) > NAME_MAX_BYTES) return `A name has at most ${NAME_MAX_BYTES} bytes; use a shorter one.`;
  if (REFUSED.test(part)) return 'Leave out control characters and \\ : * ? " < > |, which not every system can store.';
  if (/[. ]$/.test(part)) return 'A name cannot end in a blank or a dot.';
  const folded = foldPath(part);
  const ofGit = folded === '.git' || SHORT_GIT.test(folded);
  if (ofGit || folded === '.tutti' || SHORT_TUTTI.test(folded)) {
    return 'Files in .git and .tutti are never shared; choose another name.';
  }
  if (WINDOWS_DEVICE.test((folded.split('.')[0] ?? folded).trimEnd())) {
    return `${part} is reserved on Windows; choose another name.`;
  }
  return undefined;
}

function bytes(text: string): number {
  return ASCII.test(text) ? text.length : new TextEncoder().encode(text).length;
}
