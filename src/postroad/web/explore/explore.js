"use strict";
// Makes a form of each operation in the description. Everything shown is set as text, never as HTML.

const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

const resolve = (root, schema) => {
  let found = schema;
  for (let steps = 0; found && found.$ref && steps < 20; steps++) {
    found = found.$ref.slice(2).split("/").reduce((at, part) => at[part], root);
  }
  return found || {};
};

const example = (root, schema, depth = 0) => {
  const found = resolve(root, schema);
  if (found.examples && found.examples.length) return found.examples[0];
  if (found.default !== undefined) return found.default;
  if (found.oneOf || found.anyOf) return example(root, (found.oneOf || found.anyOf)[0], depth);
  const type = Array.isArray(found.type) ? found.type[0] : found.type;
  if (type === "object") {
    const value = {};
    if (depth < 3) {
      for (const name of found.required || []) {
        value[name] = example(root, (found.properties || {})[name] || {}, depth + 1);
      }
    }
    return value;
  }
  return { array: [], integer: 0, number: 0, boolean: false, null: null }[type] ?? "";
};

const form = (root, path, method, operation) => {
  const inputs = (operation.parameters || []).map((each) => resolve(root, each));
  const fields = inputs.map((each) => [each, make("input", { required: Boolean(each.required) })]);
  const json = ((operation.requestBody || {}).content || {})["application/json"];
  const body = json && make("textarea", {
    value: JSON.stringify((json.examples && Object.values(json.examples)[0].value) || example(root, json.schema), null, 2),
  });
  const answer = make("pre");
  const send = make("button", { textContent: "Send" });
  send.addEventListener("click", async () => {
    let where = path;
    const query = new URLSearchParams();
    const headers = {};
    for (const [each, input] of fields) {
      if (each.in === "path") where = where.replace(`{${each.name}}`, encodeURIComponent(input.value));
      else if (each.in === "query" && input.value) query.append(each.name, input.value);
      else if (each.in === "header" && input.value) headers[each.name] = input.value;
    }
    const key = document.getElementById("key").value;
    if (key) headers.Authorization = `Bearer ${key}`;
    if (body) headers["Content-Type"] = "application/json";
    answer.textContent = "…";
    try {
      const response = await fetch(where + (query.size ? `?${query}` : ""), {
        method: method.toUpperCase(), headers, body: body ? body.value : undefined,
      });
      const text = await response.text();
      let shown = text;
      try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* as it came */ }
      answer.textContent = `${response.status} ${response.statusText}\n\n${shown}`;
    } catch (error) {
      answer.textContent = String(error);
    }
  });
  return make("details", {},
    make("summary", {}, make("b", { textContent: method.toUpperCase() }), path),
    make("p", { textContent: operation.description || operation.summary || "" }),
    ...fields.map(([each, input]) => make("label", {}, `${each.name} (${each.in})`, input)),
    ...(body ? [make("label", {}, "body", body)] : []),
    send, answer);
};

const show = async () => {
  const main = document.getElementById("operations");
  const root = await (await fetch("/api/v1/openapi.json")).json();
  main.replaceChildren();
  for (const [path, item] of Object.entries(root.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (operation.responses) main.append(form(root, path, method, operation));
    }
  }
};

show().catch((error) => { document.getElementById("operations").textContent = String(error); });
