// Passkeys: what the server asks of the browser, and what the browser answers, both in JSON.

import { api } from "./api";

interface Asked {
  options: unknown;
  state: string;
}

interface Json {
  parseCreationOptionsFromJSON(options: unknown): PublicKeyCredentialCreationOptions;
  parseRequestOptionsFromJSON(options: unknown): PublicKeyCredentialRequestOptions;
}

function parser(): Json | undefined {
  const found = globalThis.PublicKeyCredential as unknown as Partial<Json> | undefined;
  return found?.parseCreationOptionsFromJSON ? (found as Json) : undefined;
}

/** Whether this browser has passkeys, at this address: they are bound to host names. */
export function hasPasskeys(): boolean {
  return parser() !== undefined && /[a-z]/i.test(location.hostname);
}

/** Somebody closed the browser's dialogue, or did not answer it. */
export function isCancelled(error: unknown): boolean {
  return error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "AbortError");
}

export async function logInByPasskey(): Promise<void> {
  const asked = await api<Asked>("POST", "/api/v1/login/passkey/begin");
  const publicKey = need().parseRequestOptionsFromJSON(asked.options);
  const response = await navigator.credentials.get({ publicKey });
  await api("POST", "/api/v1/login/passkey", { state: asked.state, response });
}

export async function addPasskey(name: string): Promise<void> {
  const asked = await api<Asked>("POST", "/api/v1/me/passkeys/begin");
  const publicKey = need().parseCreationOptionsFromJSON(asked.options);
  const response = await navigator.credentials.create({ publicKey });
  await api("POST", "/api/v1/me/passkeys", { state: asked.state, name, response });
}

function need(): Json {
  const found = parser();
  if (!found) throw new Error("This browser has no passkeys.");
  return found;
}
