// Package templates holds djauthy's pages and messages.
package templates

import "embed"

// FS holds layout.html, the partials every page shares, one file per page,
// and the texts of the messages under mail/.
//
//go:embed *.html */*.html */*.txt
var FS embed.FS
