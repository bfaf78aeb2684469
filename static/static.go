// Package static holds the files djauthy serves as they are.
package static

import "embed"

// FS holds the style sheet, the script and the icon.
//
//go:embed *.css *.js *.svg
var FS embed.FS
