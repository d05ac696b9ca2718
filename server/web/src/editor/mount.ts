/** The editor: CodeMirror on a shared text. Loaded apart from the page, when a file is opened. */
import { defaultKeymap, indentWithTab } from '@codemirror/commands';
import { bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { gotoLine, highlightSelectionMatches, openSearchPanel, search, searchKeymap } from '@codemirror/search';
import { Compartment, EditorState, type Extension } from '@codemirror/state';
import {
  crosshairCursor,
  drawSelection,
  dropCursor,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  highlightSpecialChars,
  keymap,
  lineNumbers,
  rectangularSelection,
} from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness';
import { yCollab, yUndoManagerKeymap } from 'y-codemirror.next';
import * as Y from 'yjs';
import type { User } from '../lib/person';
import { ownWay, showCaretOf } from './follow';
import { languageOf, loadLanguage } from './language';
import { caretNames } from './names';
import { checkedAwareness } from './presence';
import { theme } from './theme';

export interface EditorOptions {
  parent: HTMLElement;
  text: Y.Text;
  awareness: Awareness;
  path: string;
  readonly: boolean;
  onCaret(caret: CaretPlace): void;
  onLanguage(name: string): void;
  /** The person typed, scrolled or clicked. */
  onOwnWay(): void;
}

/** One-based line and column, and how many characters are selected. */
export interface CaretPlace {
  line: number;
  column: number;
  selected: number;
}

export interface Editor {
  setPath(path: string): void;
  setReadonly(readonly: boolean): void;
  follow(user: User | undefined): void;
  focus(): void;
  undo(): void;
  redo(): void;
  search(): void;
  destroy(): void;
}

/** Above this size, in UTF-16 code units, matches of the selection are not searched for. */
const BIG_TEXT = 2_000_000;

export function mountEditor(options: EditorOptions): Editor {
  const { text, awareness } = options;
  const language = new Compartment();
  const writing = new Compartment();
  const undoManager = new Y.UndoManager(text);
  const people = checkedAwareness(awareness);
  let path = options.path;
  let following: User | undefined;

  const view = new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: text.toString(),
      extensions: [
        // A shared text knows \n alone; a \r in it is a character like any other, or positions would drift.
        EditorState.lineSeparator.of('\n'),
        EditorView.clipboardInputFilter.of((pasted) => pasted.replace(/\r\n?/g, '\n')),
        basics(text.toString()),
        writing.of(writable(options.readonly, path)),
        language.of([]),
        // A phone has no room to scroll sideways in.
        matchMedia('(max-width: 760px)').matches ? EditorView.lineWrapping : [],
        yCollab(text, people, { undoManager }),
        caretNames(people),
        theme,
        ownWay(options.onOwnWay),
        EditorView.updateListener.of((update) => {
          if (update.docChanged || update.selectionSet) options.onCaret(caretPlace(update.state));
        }),
      ],
    }),
  });

  async function applyLanguage() {
    const description = languageOf(path);
    const wanted = path;
    options.onLanguage(description?.name ?? 'Plain text');
    const support = description ? await loadLanguage(description).catch(() => []) : [];
    if (wanted === path) view.dispatch({ effects: language.reconfigure(support) });
  }

  const follow = () => {
    if (following) showCaretOf(view, following, awareness, text);
  };
  awareness.on('change', follow);
  void applyLanguage();
  options.onCaret(caretPlace(view.state));

  return {
    setPath(next) {
      if (next === path) return;
      path = next;
      void applyLanguage();
    },
    setReadonly(readonly) {
      view.dispatch({ effects: writing.reconfigure(writable(readonly, path)) });
    },
    follow(user) {
      following = user;
      follow();
    },
    focus: () => view.focus(),
    undo: () => void undoManager.undo(),
    redo: () => void undoManager.redo(),
    search() {
      options.onOwnWay();
      openSearchPanel(view);
    },
    destroy() {
      awareness.off('change', follow);
      view.destroy();
      undoManager.destroy();
    },
  };
}

function basics(content: string): Extension {
  return [
    // No brackets or words are added by themselves: what a person types is what the others get.
    lineNumbers(),
    highlightActiveLineGutter(),
    highlightSpecialChars(),
    codeFolding(),
    foldGutter(),
    drawSelection(),
    dropCursor(),
    EditorState.allowMultipleSelections.of(true),
    EditorState.tabSize.of(4),
    indentUnit.of(indentOf(content)),
    indentOnInput(),
    bracketMatching(),
    rectangularSelection(),
    crosshairCursor(),
    highlightActiveLine(),
    content.length > BIG_TEXT ? [] : highlightSelectionMatches(),
    search({ top: true }),
    keymap.of([
      ...yUndoManagerKeymap,
      ...searchKeymap,
      { key: 'Mod-g', run: gotoLine, preventDefault: true },
      ...foldKeymap,
      ...defaultKeymap,
      indentWithTab,
    ]),
  ];
}

/** A viewer's editor takes the focus, so that it can be searched and selected, but no text. */
function writable(readonly: boolean, path: string): Extension {
  return [
    EditorState.readOnly.of(readonly),
    EditorView.editable.of(!readonly),
    EditorView.contentAttributes.of({
      'aria-label': readonly ? `${path}, view only` : path,
      autocapitalize: 'off',
      autocorrect: 'off',
      spellcheck: 'false',
      ...(readonly ? { tabindex: '0' } : {}),
    }),
  ];
}

function caretPlace(state: EditorState): CaretPlace {
  const { head } = state.selection.main;
  const line = state.doc.lineAt(head);
  const selected = state.selection.ranges.reduce((sum, range) => sum + range.to - range.from, 0);
  return { line: line.number, column: head - line.from + 1, selected };
}

/** What one step of indentation is in a text: its first indented lines tell. */
function indentOf(content: string): string {
  const widths = [...content.slice(0, 20_000).matchAll(/^( +|\t)\S/gm)].map(([, blanks = '']) => blanks);
  if (widths[0] === '\t') return '\t';
  const narrowest = Math.min(...widths.filter((blanks) => blanks.length > 1).map((blanks) => blanks.length));
  return ' '.repeat(narrowest === 2 ? 2 : 4);
}
