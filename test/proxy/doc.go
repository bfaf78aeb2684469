// Package proxy holds tests of the proxy configurations that the documentation
// tells people to copy: each runs as it stands there in the real nginx or Caddy,
// between a visitor and the real djauthy, with an app behind it that says what it
// was sent. Traefik, which Debian does not have, is a stand-in that does what Traefik does.
package proxy
