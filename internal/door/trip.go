package door

import (
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

// tripCookie begins the names of the cookies of sign-ins at providers. Each has its own, so
// that two tabs do not disturb each other.
const tripCookie = "djauthy_trip_"

// maxTrips is how many of them a browser keeps: each is sent with every request.
const maxTrips = 4

// Trip is the cookie of a sign-in at a provider, by its name.
func (d *Door) Trip(c *fiber.Ctx, name string) string { return d.Cookie(c, tripCookie+name) }

// SetTrip sets it, and drops those of the oldest sign-ins if there are many. The names are
// ordered by time.
func (d *Door) SetTrip(c *fiber.Ctx, name, value string, life time.Duration) {
	var kept []string
	for cookie := range c.Request().Header.Cookies() {
		if old, ok := strings.CutPrefix(string(cookie), d.cookieName(tripCookie)); ok {
			kept = append(kept, old)
		}
	}
	slices.Sort(kept)
	for _, old := range kept[:max(0, len(kept)-maxTrips+1)] {
		d.DropTrip(c, old)
	}
	d.SetCookie(c, tripCookie+name, value, life)
}

// DropTrip has the browser delete it.
func (d *Door) DropTrip(c *fiber.Ctx, name string) { d.DropCookie(c, tripCookie+name) }
