import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import type { Extension } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { tags as t } from '@lezer/highlight';

// Colours are the page's custom properties, so that light and dark need no script.

const highlighting = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.operatorKeyword, t.controlKeyword], color: 'var(--syn-keyword)' },
  { tag: [t.string, t.special(t.string), t.regexp, t.character], color: 'var(--syn-string)' },
  { tag: [t.comment, t.meta, t.processingInstruction], color: 'var(--syn-comment)', fontStyle: 'italic' },
  { tag: [t.number, t.bool, t.atom, t.null, t.constant(t.name), t.escape], color: 'var(--syn-constant)' },
  { tag: [t.typeName, t.className, t.namespace, t.tagName], color: 'var(--syn-type)' },
  {
    tag: [t.function(t.variableName), t.function(t.propertyName), t.macroName, t.labelName],
    color: 'var(--syn-function)',
  },
  { tag: [t.propertyName, t.attributeName], color: 'var(--syn-property)' },
  { tag: [t.operator, t.punctuation, t.bracket, t.separator], color: 'var(--syn-punctuation)' },
  { tag: t.heading, color: 'var(--syn-function)', fontWeight: '650' },
  { tag: [t.link, t.url], color: 'var(--syn-string)', textDecoration: 'underline' },
  { tag: t.strong, fontWeight: '700' },
  { tag: t.emphasis, fontStyle: 'italic' },
  { tag: t.strikethrough, textDecoration: 'line-through' },
  { tag: t.inserted, color: 'var(--syn-string)' },
  { tag: [t.deleted, t.invalid], color: 'var(--danger)' },
]);

const look = EditorView.theme({
  '&': { height: '100%', color: 'var(--ink)', backgroundColor: 'var(--paper)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': {
    fontFamily: 'var(--mono)',
    fontSize: 'var(--code-size)',
    lineHeight: '1.6',
    overscrollBehavior: 'contain',
  },
  // Room above the first line for the names on carets.
  '.cm-content': { padding: '1.4em 0 40vh', caretColor: 'var(--accent)' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--accent)', borderLeftWidth: '2px' },
  '.cm-line': { padding: '0 16px 0 10px' },
  '.cm-gutters': {
    backgroundColor: 'var(--paper)',
    color: 'var(--ink-faint)',
    border: 'none',
    paddingLeft: '6px',
  },
  '.cm-lineNumbers .cm-gutterElement': { minWidth: '2.6em', padding: '0 6px 0 4px' },
  '.cm-foldGutter .cm-gutterElement': { color: 'var(--ink-faint)', cursor: 'pointer' },
  '.cm-activeLine': { backgroundColor: 'var(--line-active)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    backgroundColor: 'var(--selection) !important',
  },
  '.cm-selectionMatch': { backgroundColor: 'var(--match)' },
  '.cm-searchMatch': { backgroundColor: 'var(--match)', outline: '1px solid var(--match-edge)' },
  '.cm-searchMatch-selected': { backgroundColor: 'var(--match-edge)' },
  '&.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--match)', outline: '1px solid var(--edge)' },
  '.cm-foldPlaceholder': { backgroundColor: 'var(--raised)', border: 'none', color: 'var(--ink-soft)', padding: '0 6px' },
  '.cm-panels': { backgroundColor: 'var(--side)', color: 'var(--ink)', fontFamily: 'var(--sans)' },
  '.cm-panels.cm-panels-top': { borderBottom: '1px solid var(--edge)' },
  '.cm-panel.cm-search': { padding: '8px 34px 8px 10px', fontSize: '13px' },
  '.cm-panel.cm-search label': { fontSize: '12px', color: 'var(--ink-soft)' },
  '.cm-panel.cm-search [name=close]': { fontSize: '20px', right: '10px', top: '6px', color: 'var(--ink-soft)' },
  '.cm-textfield': {
    backgroundColor: 'var(--paper)',
    color: 'var(--ink)',
    border: '1px solid var(--edge)',
    borderRadius: '6px',
    padding: '4px 8px',
    fontSize: 'var(--input-size)',
  },
  '.cm-button': {
    backgroundImage: 'none',
    backgroundColor: 'var(--raised)',
    color: 'var(--ink)',
    border: '1px solid var(--edge)',
    borderRadius: '6px',
    padding: '4px 10px',
    fontSize: '12.5px',
  },
  '.cm-tooltip': {
    backgroundColor: 'var(--raised)',
    color: 'var(--ink)',
    border: '1px solid var(--edge)',
    borderRadius: '8px',
  },
  '.cm-yLineSelection': { padding: '0 16px 0 10px', margin: '0' },
  // Others' carets; the library shows the name on hover, names.ts when the caret moves.
  '.cm-ySelectionCaret': { borderLeftWidth: '1px', borderRightWidth: '1px' },
  '.cm-ySelectionInfo': {
    fontFamily: 'var(--sans)',
    fontSize: '11px',
    fontWeight: '600',
    top: '-1.45em',
    padding: '1px 5px',
    borderRadius: '4px 4px 4px 0',
    pointerEvents: 'none',
  },
});

export const theme: Extension = [look, syntaxHighlighting(highlighting)];
