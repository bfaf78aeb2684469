package main

import "strings"

// The stand-in's pages and messages say nothing, but are as long as djauthy's.
var (
	loginPage  = htmlPage(`<form method=post action=/login><label>Address <input name=id autocomplete=username></label><button>Send me a code</button></form>`, 3000)
	codePage   = htmlPage(`<form method=post action=/login/code><label>Code <input type=password name=auth_code></label><button>Sign in</button></form>`, 4000)
	letterText = filler(700)
	letterHTML = "<p>" + filler(2000) + "</p>"
)

func htmlPage(form string, size int) string {
	head := `<!doctype html><html lang=en><head><meta charset=utf-8><title>Sign in</title></head><body>` + form + "<p>"
	return head + filler(size-len(head)) + "</p></body></html>"
}

// filler is text in lines, as messages have them.
func filler(size int) string {
	const line = "This text stands for what a person reads on this page or in this mail.\n"
	return strings.Repeat(line, max(1, size/len(line)))
}
