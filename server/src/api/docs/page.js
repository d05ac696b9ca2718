// Shows openapi.json as a page. Text is only ever set as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

/** Text in which `such words` are code and an empty line parts paragraphs. */
function prose(text) {
  const paragraphs = (text ?? "").split(/\n\s*\n/).filter(Boolean);
  return paragraphs.map((paragraph) =>
    element(
      "p",
      {},
      ...paragraph.split(/`([^`]*)`/).map((part, at) => (at % 2 ? element("code", { textContent: part }) : part)),
    ),
  );
}

function typeName(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map(typeName).join(" or ");
  const names = [schema.type ?? "any"].flat().map((type) => {
    if (type === "array") return `list of ${typeName(schema.items)}`;
    return schema.enum ? schema.enum.map((value) => JSON.stringify(value)).join(" or ") : type;
  });
  return names.join(" or ");
}

function table(head, rows) {
  if (rows.length === 0) return null;
  const row = (cells, kind) => element("tr", {}, ...cells.map((cell) => element(kind, {}, ...[cell].flat())));
  return element("table", {}, row(head, "th"), ...rows.map((cells) => row(cells, "td")));
}

const typeCell = (schema) => element("code", { textContent: typeName(schema) });

function body(content) {
  const [kind, media] = Object.entries(content ?? {})[0] ?? [];
  return kind ? [typeCell(media.schema), ` (${kind})`] : "";
}

function operation(path, method, described) {
  const taken = (described.parameters ?? []).map((parameter) => [
    element("code", { textContent: parameter.name }),
    prose(parameter.description),
  ]);
  const given = Object.entries(described.responses ?? {}).map(([status, response]) => [
    status,
    [...prose(response.description), ...body(response.content)],
  ]);
  const sent = described.requestBody?.content;
  return element(
    "article",
    { id: described.operationId ?? "" },
    element("h3", { textContent: described.summary ?? "" }),
    element(
      "p",
      { className: "signature" },
      element("span", { className: "method", textContent: method.toUpperCase() }),
      ` ${path}`,
    ),
    ...prose(described.description),
    table(["In the path", ""], taken),
    sent ? element("p", {}, "Takes ", ...body(sent)) : null,
    table(["Status", "Answer"], given),
  );
}

function schema(name, described) {
  const required = new Set(described.required ?? []);
  const fields = Object.entries(described.properties ?? {}).map(([field, value]) => [
    element("code", { textContent: field }),
    [typeCell(value), required.has(field) ? "" : " (may be absent)"],
    prose(value.description),
  ]);
  return element(
    "article",
    { id: `type-${name}` },
    element("h3", { textContent: name }),
    ...prose(described.description),
    fields.length ? table(["Field", "Type", ""], fields) : element("p", {}, typeCell(described)),
  );
}

const description = await (await fetch("openapi.json")).json();
const operations = Object.entries(description.paths).flatMap(([path, methods]) =>
  METHODS.filter((method) => methods[method]).map((method) => ({ path, method, described: methods[method] })),
);
const sections = (description.tags ?? []).flatMap((tag) => [
  element("h2", { textContent: tag.name }),
  ...prose(tag.description),
  ...operations
    .filter(({ described }) => described.tags?.includes(tag.name))
    .map(({ path, method, described }) => operation(path, method, described)),
]);

document.getElementById("page").replaceChildren(
  element("h1", { textContent: `${description.info.title} ${description.info.version}: REST interface` }),
  ...prose(description.info.description),
  element("p", {}, "For programs: ", element("a", { href: "openapi.json", textContent: "openapi.json" })),
  ...sections,
  element("h2", { textContent: "Types" }),
  ...Object.entries(description.components?.schemas ?? {}).map(([name, described]) => schema(name, described)),
);
