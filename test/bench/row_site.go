package main

import (
	"fmt"
	"strings"
)

// siteAtMost is this project's limit for a request at a site on a host of its own, with rules and
// a signed header: times the CPU of one indexed read and join behind Fiber.
const siteAtMost = 2.0

// sitePath is what visitors ask the site for; a rule of the site is for the paths below /d.
const sitePath = "/d/nodes/overview?orgId=1&from=now-6h&to=now"

// siteSettings are those of a site with rules, which a level guards as a whole, and one its path.
func siteSettings() []string {
	of := func(rule int, name, value string) string {
		return fmt.Sprintf("DJAUTHY_SITE_0_RULES_%d_%s=%s", rule, name, value)
	}
	return []string{
		"DJAUTHY_TRUSTED_PROXIES=127.0.0.0/8", "DJAUTHY_SITE_0_URL=" + siteOrigin(0),
		of(0, "PATH", "/public/*"), of(0, "PUBLIC", "true"),
		of(1, "PATH", "/admin/*"), of(1, "LEVEL", ruleName(1)),
		of(2, "PATH", "/d/*"), of(2, "LEVEL", ruleName(2)),
		of(3, "PATH", "/*"), of(3, "LEVEL", ruleName(3)),
	}
}

// siteRow is what a proxy in front of an app asks for each request of a visitor: by the cookie of
// the app's own host, with rules by path, answered with a signed header.
func siteRow(b *bench) (*result, error) {
	djauthy, err := b.startWithRules(manyRules, siteSettings()...)
	if err != nil {
		return nil, err
	}
	return b.withStandin(djauthy, func(p *pair) (*result, error) {
		requests := map[*server][]string{}
		for _, s := range []*server{p.djauthy, p.standin} {
			cookies, err := b.sessions(s, sessionsPerServer, freshAddress)
			if err == nil && s == p.djauthy {
				cookies, err = enterSite(s, cookies)
			}
			if err != nil {
				return nil, err
			}
			for _, c := range cookies {
				requests[s] = append(requests[s], proxied(s, sitePath, c))
			}
		}
		w, err := b.compare("visit of a site on its own host, two of "+count(manyRules)+" rules, signed header (stand-in: Fiber with one indexed read and join)", p, b.asks(requests))
		w.AtMost = siteAtMost
		if err != nil {
			return nil, err
		}
		beside, err := b.compare("the same, "+besideCommits, p, b.whileOthersCommit(b.asks(requests)))
		return &result{Works: []work{w, beside}}, err
	})
}

// proxied is what the site's proxy asks about a request of a visitor. The stand-in takes it for a
// session check.
func proxied(s *server, uri, cookie string) string {
	proto, host, _ := strings.Cut(siteOrigin(0), "://")
	return "GET /forward-auth HTTP/1.1\r\nHost: " + s.addr + "\r\nX-Forwarded-Proto: " + proto + "\r\nX-Forwarded-Host: " + host +
		"\r\nX-Forwarded-Uri: " + uri + "\r\nX-Forwarded-Method: GET\r\nCookie: " + cookie + "\r\n\r\n"
}

// enterSite takes sessions over at the site, as browsers are led, and returns their cookies there.
func enterSite(s *server, sessions []string) ([]string, error) {
	c, err := dial(s.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	cookies := make([]string, len(sessions))
	for i, session := range sessions {
		if cookies[i], err = handOver(c, s, session); err != nil {
			return nil, fmt.Errorf("take a session over at the site: %w", err)
		}
	}
	return cookies, nil
}

// handOver leads one browser to the site: there it gets what the hand-off is bound to, at djauthy
// a code, and for it the site's cookie.
func handOver(c *client, s *server, session string) (string, error) {
	var a answer
	// asks makes a request and returns where its answer leads, without an origin.
	asks := func(request string, status int, origin string) (string, error) {
		if err := c.do([]byte(request), &a); err != nil {
			return "", err
		}
		to, found := strings.CutPrefix(a.location, origin)
		if a.status != status || !found {
			return "", fmt.Errorf("status %d, leads to %q", a.status, a.location)
		}
		return to, nil
	}
	to, err := asks(proxied(s, "/.djauthy/enter?to="+siteOrigin(0)+"/", "x=y"), 302, originAt(s.addr))
	if err != nil {
		return "", err
	}
	bound := strings.Join(a.cookies, "; ")
	if to, err = asks("GET "+to+" HTTP/1.1\r\nHost: "+s.addr+"\r\nCookie: "+session+"\r\n\r\n", 303, siteOrigin(0)); err != nil {
		return "", err
	}
	if _, err = asks(proxied(s, to, bound), 302, siteOrigin(0)); err != nil {
		return "", err
	}
	for _, pair := range a.cookies {
		if strings.HasPrefix(pair, "djauthy_site=") {
			return pair, nil
		}
	}
	return "", fmt.Errorf("no cookie of the site, but %q", a.cookies)
}
