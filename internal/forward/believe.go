package forward

import (
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/internal/door"
)

// believes refuses what may be a proxy's question about a site, although it comes from none of
// the trusted proxies: it would be taken for one about public_url's own host, where no rule of
// the site counts.
func (f *forward) believes(c *fiber.Ctx) error {
	if f.Door.ThroughProxy(c) {
		return nil
	}
	claimed := door.List(c, fiber.HeaderXForwardedHost)
	if len(f.sites.All()) == 0 && !slices.ContainsFunc(claimed, f.isElsewhere) {
		return nil
	}
	host, address := strings.Join(claimed, ","), door.Prefix(f.Door.Address(c))
	f.Door.WarnOnce("untrusted "+address, // not the host: who asks could think of as many as there are warnings
		"somebody asks /forward-auth who is not in trusted_proxies, and is refused; if it is your proxy, add its address there", "address", address, "host", door.Readable(host))
	return &door.Problem{Status: http.StatusMisdirectedRequest, Key: "no_site"}
}

// isElsewhere reports a host that is not public_url's own.
func (f *forward) isElsewhere(host string) bool {
	scheme, _, _ := strings.Cut(f.Options.PublicURL, "://")
	site, found := f.sites.Find(scheme + "://" + host)
	return !found || site != f.sites.Own()
}
