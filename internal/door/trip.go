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

// Trip is the cookie of a sign-in at a provider, by its way.
func (d *Door) Trip(c *fiber.Ctx, way string) string { return d.Cookie(c, tripCookie+way) }

// SetTrip sets it, and drops those of the oldest sign-ins if there are many. The ways are
// ordered by time.
func (d *Door) SetTrip(c *fiber.Ctx, way, value string, life time.Duration) {
	var ways []string
	for name := range c.Request().Header.Cookies() {
		if way, ok := strings.CutPrefix(string(name), d.cookieName(tripCookie)); ok {
			ways = append(ways, way)
		}
	}
	slices.Sort(ways)
	for _, old := range ways[:max(0, len(ways)-maxTrips+1)] {
		d.DropTrip(c, old)
	}
	d.SetCookie(c, tripCookie+way, value, life)
}

// DropTrip has the browser delete it.
func (d *Door) DropTrip(c *fiber.Ctx, way string) { d.DropCookie(c, tripCookie+way) }
