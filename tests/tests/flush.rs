//! Editors that hold keys back until their person pauses report at once what they are made to report.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_tests::cli::Person;
use tutti_tests::collab::Member;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;
use tutti_tests::readme;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until_or;

const FILE: &str = "metronome.py";
const BEFORE: &str = "def beat():\n    return 1";
const AFTER: &str = "\n\n\ndef bar():\n    return 4\n";
const KEYS: &str = "234567890123456789012345678901234567890123456789";
const PACE: Duration = Duration::from_millis(60);

/// An editor in a shared file, and someone else there.
struct Scene {
    _server: Server,
    _dir: tempfile::TempDir,
    editor: Editor,
    other: Member,
}

fn scene(kind: Kind, more_set_up: &str) -> Result<Scene> {
    let server = Server::start()?;
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    let text = format!("{BEFORE}{AFTER}");
    project::write(dir.path(), &[(FILE, &text)])?;
    let project = person.share(dir.path(), &server)?;
    let to = Target {
        server: &server.ws_url(),
        project: &project.id,
        document: &server.rest()?.file_id(&project.id, FILE)?,
        token: project.editor_token(),
    };
    let other = Member::join(to, 77)?;
    let set_up = readme::block(&format!("{kind:?}"))? + more_set_up;
    Ok(Scene {
        editor: Editor::open_with(kind, person, dir.path(), FILE, &set_up)?,
        _server: server,
        _dir: dir,
        other,
    })
}

/// How many of [`KEYS`] a text holds, behind [`BEFORE`].
fn keys_in(text: &str) -> Result<usize> {
    let (_, text) = text.split_once(BEFORE).context("the start is gone")?;
    let keys = text.strip_suffix(AFTER).context("the end is gone")?;
    ensure!(KEYS.starts_with(keys), "that was not typed: {keys:?}");
    Ok(keys.len())
}

/// Types [`KEYS`] without a pause. Meanwhile, and before the last is pressed, `watch` is called over and over with the
/// number of keys that the other has.
fn while_typing(
    scene: &mut Scene,
    mut watch: impl FnMut(usize, &Editor) -> Result<()>,
) -> Result<()> {
    let Scene { editor, other, .. } = scene;
    editor.type_behind("return 1")?;
    let (before, last) = KEYS.split_at(KEYS.len() - 1);
    thread::scope(|scope| {
        let typist = scope.spawn(|| editor.type_text(before, PACE));
        while !typist.is_finished() {
            other.receive(PACE / 4)?;
            watch(keys_in(&other.text())?, editor)?;
        }
        typist.join().expect("the typist does not panic")
    })?;
    editor.type_text(last, PACE)
}

/// By itself Emacs reports what was typed when nothing has been for half a second.
#[test]
fn emacs_reports_each_key() -> Result<()> {
    let mut scene = scene(Kind::Emacs, "")?;
    // Before that the bridge is not in the room, and passes nothing on.
    scene.other.insert(0, "# here\n")?;
    scene.editor.terminal().shows("# here")?;
    let mut seen = BTreeSet::new();
    while_typing(&mut scene, |keys, _| {
        seen.insert(keys);
        Ok(())
    })?;
    // Nearly each key by itself; a machine that stands still for a moment makes two come as one.
    ensure!(
        seen.len() > KEYS.len() / 2,
        "of {} keys the other saw only these before the last was pressed: {seen:?}",
        KEYS.len()
    );
    scene.other.holds(&format!("# here\n{BEFORE}{KEYS}{AFTER}"))
}

/// A second language server, within Neovim, whose one token covers `def`.
const WITH_TOKENS: &str = r#"
vim.api.nvim_create_autocmd('BufReadPost', { callback = function()
  local answers = {
    initialize = { capabilities = { semanticTokensProvider = {
      full = true, legend = { tokenTypes = { 'keyword' }, tokenModifiers = {} },
    } } },
    ['textDocument/semanticTokens/full'] = { data = { 0, 0, 3, 0, 0 } },
  }
  local count = 0
  vim.lsp.start({ name = 'other', cmd = function()
    return {
      request = function(method, _, callback)
        count = count + 1
        vim.schedule(function() callback(nil, answers[method]) end)
        return true, count
      end,
      notify = function() return true end,
      is_closing = function() return false end,
      terminate = function() end,
    }
  end })
end })
"#;

const CLIENT: &str = "vim.lsp.get_clients({ name = _A })[1]";

/// Neovim's answer to a Lua expression in which `_A` is the name of a language server.
fn lua(editor: &Editor, server: &str, expression: &str) -> Result<String> {
    let expression = expression.replace("CLIENT", CLIENT);
    editor.remote(&format!("luaeval({expression:?}, {server:?})"))
}

/// How many of this server's tokens Neovim draws.
fn tokens_drawn(editor: &Editor, server: &str) -> Result<String> {
    let space = "vim.api.nvim_get_namespaces()['vim_lsp_semantic_tokens:' .. CLIENT.id]";
    let marks = format!("#vim.api.nvim_buf_get_extmarks(0, {space}, 0, -1, {{}})");
    lua(editor, server, &marks)
}

/// By itself Neovim, as long as it has reported nothing of a file, reports when nothing was typed for 150 ms.
#[test]
fn neovim_reports_when_told_to_refresh() -> Result<()> {
    let mut scene = scene(Kind::Neovim, WITH_TOKENS)?;
    let wait = |what: &str, expected: &str, look: &dyn Fn() -> Result<String>| {
        let found = || look().unwrap_or_else(|error| format!("{error:#}"));
        until_or(what, || (found().trim() == expected).then_some(()), found)
    };
    let editor = &scene.editor;
    wait("Tutti's tokens", r#"{"result":{"data":[]}}"#, &|| {
        let document = "{ textDocument = { uri = vim.uri_from_bufnr(0) } }";
        let ask =
            format!("CLIENT.request_sync('textDocument/semanticTokens/full', {document}, 5000, 0)");
        lua(editor, "tutti", &format!("vim.json.encode({ask})"))
    })?;
    wait("the others' tokens", "1", &|| tokens_drawn(editor, "other"))?;

    // The same handler that the bridge's request reaches.
    let refresh = "vim.lsp.handlers['workspace/semanticTokens/refresh'](nil, nil, { client_id = CLIENT.id }) == vim.NIL";
    let mut seen = 0;
    while_typing(&mut scene, |keys, editor| {
        seen = keys;
        if keys == 0 {
            ensure!(lua(editor, "tutti", refresh)?.trim() == "true");
        }
        Ok(())
    })?;
    ensure!(
        seen > 0,
        "the other saw nothing before the last key was pressed"
    );
    scene.other.holds(&format!("{BEFORE}{KEYS}{AFTER}"))?;

    let editor = &scene.editor;
    editor.escape()?;
    wait("the others' tokens again", "1", &|| {
        tokens_drawn(editor, "other")
    })?;
    ensure!(tokens_drawn(editor, "tutti")?.trim() == "0");
    let messages = editor.remote("execute('messages')")?;
    ensure!(messages.trim().is_empty(), "Neovim says {messages}");
    Ok(())
}
