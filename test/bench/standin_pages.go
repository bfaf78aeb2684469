package main

import "strings"

// pages are the stand-in's pages and messages. They say nothing, but are as
// long as djauthy's.
type pages struct{ login, code, text, html string }

// letterHead is about how long the headers of a message with two parts are.
const letterHead = 800

func makePages(s sizes) pages {
	letter := max(0, s.letter-letterHead)
	return pages{
		login: htmlPage(`<form method=post action=/login><label>Address <input name=id autocomplete=username></label><button>Send me a code</button></form>`, s.login),
		code:  htmlPage(`<form method=post action=/login/code><label>Code <input type=password name=auth_code></label><button>Sign in</button></form>`, s.code),
		text:  filler(letter / 3),
		html:  "<p>" + filler(letter-letter/3) + "</p>",
	}
}

func htmlPage(form string, size int) string {
	head := `<!doctype html><html lang=en><head><meta charset=utf-8><title>Sign in</title></head><body>` + form + "<p>"
	return head + filler(size-len(head)) + "</p></body></html>"
}

// filler is text in lines, as messages have them.
func filler(size int) string {
	const line = "This text stands for what a person reads on this page or in this mail.\n"
	return strings.Repeat(line, max(1, size/len(line)))
}
