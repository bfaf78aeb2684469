package signin

import (
	"time"

	"github.com/djauthy/djauthy/internal/delivery"
	"github.com/djauthy/djauthy/internal/outbox"
)

// cause is the requester as messages tell of them.
func (by Requester) cause() delivery.Cause {
	return delivery.Cause{Client: by.Client, Words: by.Words}
}

// text is what every message says.
func (s *Service) text(now time.Time, by Requester) delivery.Text {
	return s.Settings.messages().Text(now, by.cause())
}

// messages is the site as messages tell of it.
func (s Settings) messages() delivery.Site {
	return delivery.Site{Name: s.Site, Host: s.host(), PublicURL: s.PublicURL}
}

// deliver begins messages once the response has been written.
func (s *Service) deliver(all []outbox.Queued, by Requester) {
	s.Outbox.DeliverAll(all, by.AfterResponse)
}
