// An OpenID provider for the tests: node provider.mjs PORT REDIRECT_URI. Its pages for
// development ask for any name and any password, and then for consent.
import Provider from "oidc-provider";

const [port, redirect] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "djauthy", client_secret: "hunter2hunter2", redirect_uris: [redirect], response_types: ["code"], grant_types: ["authorization_code"] }],
  features: { registration: { enabled: true }, devInteractions: { enabled: true } },
  pkce: { required: () => true },
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["preferred_username"] },
  cookies: { keys: ["test"] },
  findAccount: async (_, id) => ({
    accountId: id,
    claims: async () => ({ sub: id, email: `${id}@corp.example`, email_verified: true, preferred_username: id }),
  }),
});
provider.listen(Number(port), "127.0.0.1", () => console.log("listening"));
