// The first message, by JMAP: a draft in Sent, submitted in the same request (RFC 8621 §7.5).

import { api } from "../shared/api";

const USING = ["core", "mail", "submission"].map((name) => `urn:ietf:params:jmap:${name}`);

type Call = [string, Record<string, unknown>, string];
interface Identity {
  id: string;
  email: string;
}

export async function sendFirst(to: string): Promise<void> {
  const session = await api<{ primaryAccounts: Record<string, string> }>("GET", "/jmap/session");
  const accountId = session.primaryAccounts["urn:ietf:params:jmap:mail"];
  const [boxes, identities] = await call([
    ["Mailbox/get", { accountId }, "0"],
    ["Identity/get", { accountId }, "1"],
  ]);
  const box = (boxes?.list as { id: string; role: string | null }[]).find((each) => each.role === "sent") ??
    (boxes?.list as { id: string; role: string | null }[])[0];
  const identity = (identities?.list as Identity[])[0];
  if (!box || !identity) throw new Error("The account has no mailbox or no identity.");
  const email = {
    mailboxIds: { [box.id]: true },
    keywords: { $seen: true },
    from: [{ email: identity.email }],
    to: [{ email: to }],
    subject: "A first message",
    bodyValues: { text: { value: `Hello,\n\nthis is the first message of ${identity.email}.\n` } },
    textBody: [{ partId: "text", type: "text/plain" }],
  };
  const done = await call([
    ["Email/set", { accountId, create: { first: email } }, "0"],
    ["EmailSubmission/set", { accountId, create: { sent: { emailId: "#first", identityId: identity.id } } }, "1"],
  ]);
  for (const each of done) {
    const refused = Object.values((each.notCreated ?? {}) as Record<string, { description?: string; type: string }>)[0];
    if (refused) throw new Error(refused.description ?? refused.type);
  }
}

async function call(methodCalls: Call[]): Promise<Record<string, unknown>[]> {
  const body = { using: USING, methodCalls };
  const answer = await api<{ methodResponses: Call[] }>("POST", "/jmap/api", body);
  return answer.methodResponses.map(([name, told]) => {
    if (name === "error") throw new Error(String(told.description ?? told.type));
    return told;
  });
}
