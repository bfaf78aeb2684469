// Package browser holds tests that use djauthy as people do: in Debian's
// Chromium, on the real binary, with the codes out of real messages. What needs
// the browser around its pages, such as sessions bound to a device, runs in the
// whole of it, the rest in its headless shell.
//
// Every page that a test names is looked at once in each size, light and dark:
// axe-core finds nothing, nothing scrolls sideways, nothing is too small for a
// finger, and its pictures lie in test/shots. What a page must never do, such as
// asking a foreign host or writing to the console, ends any test that sees it.
package browser
