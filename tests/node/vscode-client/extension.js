// Starts `tutti lsp` for every file; it does nothing outside of shared projects.
const { LanguageClient } = require("vscode-languageclient/node");
let client;

exports.activate = () => {
  const server = { command: "tutti", args: ["lsp"] };
  client = new LanguageClient("tutti", "Tutti", server, { documentSelector: [{ scheme: "file" }] });
  return client.start();
};
exports.deactivate = () => client?.stop();
