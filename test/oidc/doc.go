// Package oidc holds tests which sign people in at a real OpenID provider of somebody else:
// oidc-provider for Node.js, as a client that it knows and as one that registers itself.
package oidc
