// Package docs holds tests of what the documentation tells people to copy: each
// example of docs/services.md is run as it stands.
package docs
