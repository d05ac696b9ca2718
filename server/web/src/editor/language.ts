import { LanguageDescription, type LanguageSupport } from '@codemirror/language';
import { languages } from '@codemirror/language-data';

/** Names that the language list does not know. */
const ALSO: Record<string, string> = {
  'cargo.lock': 'TOML',
  'poetry.lock': 'TOML',
  'uv.lock': 'TOML',
  '.gitignore': 'Properties files',
  '.npmrc': 'Properties files',
  'makefile': 'Shell',
  'justfile': 'Shell',
  'flake.lock': 'JSON',
};

const ALSO_ENDING: Record<string, string> = {
  svelte: 'HTML',
  vue: 'Vue',
  jsonc: 'JSON',
  json5: 'JSON',
  mts: 'TypeScript',
  cts: 'TypeScript',
  zsh: 'Shell',
  fish: 'Shell',
  bats: 'Shell',
};

/** The language of a file, by its name. */
export function languageOf(path: string): LanguageDescription | null {
  const name = (path.split('/').pop() ?? path).toLowerCase();
  const other = ALSO[name] ?? ALSO_ENDING[name.split('.').pop() ?? ''];
  return other
    ? LanguageDescription.matchLanguageName(languages, other)
    : LanguageDescription.matchFilename(languages, path.split('/').pop() ?? path);
}

/** Loads the parser of a language; each is a chunk of its own. */
export async function loadLanguage(language: LanguageDescription): Promise<LanguageSupport> {
  return language.support ?? (await language.load());
}
