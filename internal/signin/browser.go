package signin

import "github.com/djauthy/djauthy/internal/browser"

// ReadBrowser opens a browser's cookie. Without a valid one the browser is new.
func (s *Service) ReadBrowser(cookie string) (b browser.Browser, isNew bool) {
	return s.browsers.Read(cookie)
}

// Cookie returns the value of a browser's cookie.
func (s *Service) Cookie(b browser.Browser) string { return s.browsers.Cookie(b) }

// Chooses returns the browser's cookie after a way was chosen for what was typed.
func (s *Service) Chooses(b browser.Browser, w Way) string {
	return s.browsers.Cookie(s.browsers.Remember(b, chosen(w.Name(), w.Address)))
}
