package otp_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/djauthy/djauthy/client/otp"
)

// calls are all that a client can ask of the server.
func calls() map[string]func(ctx context.Context, c *otp.Client) error {
	return map[string]func(ctx context.Context, c *otp.Client) error{
		"Verify": func(ctx context.Context, c *otp.Client) error { return c.Verify(ctx, "printer", "office", "123456") },
		"Create": func(ctx context.Context, c *otp.Client) error { _, err := c.Create(ctx, "new", "office"); return err },
		"List":   func(ctx context.Context, c *otp.Client) error { _, err := c.List(ctx); return err },
		"Find":   func(ctx context.Context, c *otp.Client) error { _, err := c.Find(ctx, "printer", "office"); return err },
		"Update": func(ctx context.Context, c *otp.Client) error {
			_, err := c.Update(ctx, 3, "printer", "lab")
			return err
		},
		"Delete": func(ctx context.Context, c *otp.Client) error { return c.Delete(ctx, 3) },
	}
}

// harmless are the calls that may reach the server twice.
func harmless(name string) bool { return name != "Create" && name != "Delete" }

func TestVerifyTellsARightTokenFromAWrongOne(t *testing.T) {
	s := open(t)
	shop, printer := s.client("shop"), s.client("printer")
	check(t, shop.Verify(t.Context(), "printer", "office", token(t, printer)))
	for name, show := range map[string][3]string{
		"a wrong token": {"printer", "office", "x"}, "another's token": {"printer", "office", token(t, shop)},
		"nobody": {"nobody", "office", token(t, printer)}, "another realm": {"printer", "lab", token(t, printer)},
	} {
		if err := shop.Verify(t.Context(), show[0], show[1], show[2]); !errors.Is(err, otp.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := printer.Verify(t.Context(), "shop", "ungleich-auth", token(t, shop)); !errors.Is(err, otp.ErrRefused) {
		t.Errorf("by one who may not: %v", err)
	}
	late := s.client("shop")
	late.Now = func() time.Time { return time.Now().Add(time.Hour) }
	if err := late.Verify(t.Context(), "printer", "office", token(t, printer)); !errors.Is(err, otp.ErrCredentials) {
		t.Errorf("with a clock that is off: %v", err)
	}
}

func TestAnAdministratorCreatesFindsUpdatesAndDeletes(t *testing.T) {
	s := open(t)
	root := s.client("root")
	made, err := root.Create(t.Context(), `sc"ü"ner & <co>`, "office")
	check(t, err)
	if made.ID != 4 || made.Name != `sc"ü"ner & <co>` || made.Realm != "office" || made.Seed == "" {
		t.Fatalf("%+v", made)
	}
	if _, err := root.Create(t.Context(), made.Name, made.Realm); !errors.Is(err, otp.ErrTaken) {
		t.Errorf("created again: %v", err)
	}
	found, err := root.Find(t.Context(), made.Name, made.Realm)
	check(t, err)
	moved, err := root.Update(t.Context(), made.ID, "scanner", "lab")
	check(t, err)
	if found != made || moved.ID != made.ID || moved.Name != "scanner" || moved.Realm != "lab" || moved.Seed != made.Seed {
		t.Errorf("found %+v, updated %+v", found, moved)
	}
	if _, err := root.Update(t.Context(), made.ID, "printer", "office"); !errors.Is(err, otp.ErrTaken) {
		t.Errorf("updated to a name that is taken: %v", err)
	}
	all, err := root.List(t.Context())
	check(t, err)
	if len(all) != 4 || all[3] != moved || !slices.IsSortedFunc(all, func(a, b otp.Entry) int { return int(a.ID - b.ID) }) {
		t.Errorf("%+v", all)
	}
	check(t, root.Delete(t.Context(), made.ID))
}

func TestWhatIsNotThereIsErrNotFound(t *testing.T) {
	s := open(t)
	root := s.client("root")
	_, find := root.Find(t.Context(), "printer", "lab")
	_, update := root.Update(t.Context(), 99, "a", "b")
	for name, err := range map[string]error{"find": find, "update": update, "delete": root.Delete(t.Context(), 99)} {
		if !errors.Is(err, otp.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A path that leads nowhere is another matter than an entry that is gone.
	s.answer = func(w http.ResponseWriter, r *http.Request) bool { http.NotFound(w, r); return true }
	if err := root.Delete(t.Context(), 3); err == nil || errors.Is(err, otp.ErrNotFound) {
		t.Errorf("a page that is not there: %v", err)
	}
}

func TestWhoMayNotAdministerIsRefused(t *testing.T) {
	s := open(t)
	for name, call := range calls() {
		if err := call(t.Context(), s.client("shop")); !errors.Is(err, otp.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAnyOtherAnswerIsAStatusErrorWithItsText(t *testing.T) {
	s := open(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, strings.Repeat("x", 10_000), http.StatusBadGateway)
		return true
	}
	for name, call := range calls() {
		var status *otp.StatusError
		if err := call(t.Context(), s.client("root")); !errors.As(err, &status) || status.Code != http.StatusBadGateway || len(status.Text) != 200 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The server's own 404 is of a path, and says nothing of an entry.
func TestAWrongURLIsNoMissingEntry(t *testing.T) {
	s := open(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		tell(w, http.StatusNotFound, map[string]string{"detail": "Not found."})
		return true
	}
	var status *otp.StatusError
	if err := s.client("shop").Verify(t.Context(), "printer", "office", "123456"); !errors.As(err, &status) || status.Code != http.StatusNotFound || !strings.Contains(err.Error(), "/ungleichotp/") {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	s := open(t)
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte("<html>")); return true }
	for _, name := range []string{"Create", "List", "Find", "Update"} {
		if err := calls()[name](t.Context(), s.client("root")); err == nil {
			t.Errorf("%s reads a page as an answer", name)
		}
	}
}

// A server in front of which something answers every request with a page and 200
// has verified nothing.
func TestAPageIsNoVerification(t *testing.T) {
	s := open(t)
	for _, page := range []string{"<html>Welcome to the hotel</html>", "", "{}", `{"status": "FAIL"}`} {
		s.answer = func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(page)); return true }
		if err := s.client("shop").Verify(t.Context(), "printer", "office", "x"); err == nil {
			t.Errorf("%q is a verification", page)
		}
	}
}

func TestASeedThatIsNoneIsErrSeedAndAsksNobody(t *testing.T) {
	s := open(t)
	root := s.client("root")
	root.Seed = "no seed"
	for name, call := range calls() {
		if err := call(t.Context(), root); !errors.Is(err, otp.ErrSeed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.asked()) != 0 {
		t.Errorf("%v", s.asked())
	}
}

func TestATokenThatIsGivenIsUsedInPlaceOfTheSeed(t *testing.T) {
	s := open(t)
	shop := s.client("shop")
	shop.Token, shop.Seed = token(t, shop), ""
	check(t, shop.Verify(t.Context(), "printer", "office", token(t, s.client("printer"))))
}

func TestATokenIsThatOfTheClientsClock(t *testing.T) {
	c := &otp.Client{Seed: printerSeed, Now: func() time.Time { return time.Unix(1111111111, 0) }} // RFC 6238, appendix B
	if got := token(t, c); got != "050471" {
		t.Errorf("%s", got)
	}
}

func TestTheServersURLNeedsNoSlashAtItsEnd(t *testing.T) {
	s := open(t)
	root := s.client("root")
	for _, url := range []string{s.URL + "/ungleichotp", s.URL + "/ungleichotp/"} {
		root.Server = url
		_, err := root.Find(t.Context(), "printer", "office")
		check(t, err)
		check(t, root.Verify(t.Context(), "root", "ungleich-admin", token(t, root)))
	}
}

func TestAServerThatIsDownForAMomentIsAskedAgainWhereThatIsSafe(t *testing.T) {
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			s.firstly(1, http.StatusServiceUnavailable)
			err := call(t.Context(), s.client("root"))
			var status *otp.StatusError
			down := errors.As(err, &status) && status.Code == http.StatusServiceUnavailable
			if n := len(s.asked()); harmless(name) && (n != 2 || down) || !harmless(name) && (n != 1 || !down) {
				t.Errorf("%d requests, %v", n, err)
			}
		})
	}
}

func TestAServerThatStaysDownIsAskedThreeTimes(t *testing.T) {
	s := open(t)
	s.firstly(10, http.StatusServiceUnavailable)
	_, err := s.client("root").List(t.Context())
	var status *otp.StatusError
	if !errors.As(err, &status) || status.Code != http.StatusServiceUnavailable || len(s.asked()) != 3 {
		t.Errorf("%d requests, %v", len(s.asked()), err)
	}
}

func TestAnAnswerIsNotAskedForAgain(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout} {
		s := open(t)
		s.firstly(10, status)
		for name, call := range calls() {
			before := len(s.asked())
			if err := call(t.Context(), s.client("root")); err == nil || len(s.asked()) != before+1 {
				t.Errorf("%d to %s: %d requests, %v", status, name, len(s.asked())-before, err)
			}
		}
	}
}

func TestTheServerSaysWhenItIsAskedAgain(t *testing.T) {
	s := open(t)
	s.firstly(1, http.StatusServiceUnavailable, "Retry-After", "1")
	before := time.Now()
	_, err := s.client("root").List(t.Context())
	check(t, err)
	if waited := time.Since(before); waited < time.Second {
		t.Errorf("asked again after %v", waited)
	}
}

// dialler fails to connect so many times.
func dialler(s *wire, failures int64) *http.Client {
	var dialled atomic.Int64
	return &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		to := s.Listener.Addr().String()
		if dialled.Add(1) <= failures {
			to = "127.0.0.1:1" // where nobody listens
		}
		return (&net.Dialer{}).DialContext(ctx, network, to)
	}}}
}

func TestWhatNeverReachedTheServerIsSentAgainWhateverItIs(t *testing.T) {
	for name, call := range calls() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			root := s.client("root")
			root.HTTP = dialler(s, 2)
			err := call(t.Context(), root)
			if want := map[bool]error{true: otp.ErrRefused}[name == "Verify"]; !errors.Is(err, want) || len(s.asked()) != 1 {
				t.Errorf("%v, %v", s.asked(), err)
			}
			root.HTTP = dialler(s, 3)
			var dial *net.OpError
			if err := call(t.Context(), root); !errors.As(err, &dial) || len(s.asked()) != 1 {
				t.Errorf("the fourth time: %v, %v", s.asked(), err)
			}
		})
	}
}

func TestACreateWhoseAnswerIsLostIsNotSentAgain(t *testing.T) {
	for name, before := range map[string]int{"on a fresh connection": 0, "on a kept connection": 1} {
		s := open(t)
		root := s.client("root")
		for range before {
			_, err := root.List(t.Context())
			check(t, err)
		}
		s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				_ = c.Close()
			}
			return true
		}
		if _, err := root.Create(t.Context(), "new", "office"); err == nil || len(s.asked()) != before+1 {
			t.Errorf("%s: %v, %v", name, s.asked(), err)
		}
	}
}

func TestAContextThatEndsWhileTheServerThinksEndsTheCall(t *testing.T) {
	for name, call := range calls() {
		s := open(t)
		ctx, cancel := context.WithCancel(t.Context())
		s.answer = func(_ http.ResponseWriter, r *http.Request) bool {
			cancel()
			gone(r)
			return true
		}
		if err := call(ctx, s.client("root")); !errors.Is(err, context.Canceled) || len(s.asked()) != 1 {
			t.Errorf("%s: %v, %v", name, s.asked(), err)
		}
	}
}

func TestAContextThatEndsBetweenTwoTriesEndsTheCall(t *testing.T) {
	s := open(t)
	s.firstly(10, http.StatusServiceUnavailable, "Retry-After", "60")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	before := time.Now()
	if _, err := s.client("root").List(ctx); err == nil || len(s.asked()) != 1 || time.Since(before) > 4*time.Second {
		t.Errorf("after %v: %v, %v", time.Since(before), s.asked(), err)
	}
}

func TestAContextThatHasEndedAsksNobody(t *testing.T) {
	s := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, call := range calls() {
		if err := call(ctx, s.client("root")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(s.asked()) != 0 {
		t.Errorf("%v", s.asked())
	}
}

func TestARedirectIsNotFollowed(t *testing.T) {
	var followed atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	defer elsewhere.Close()
	for _, status := range []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect} {
		s := open(t)
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL, status)
			return true
		}
		for name, call := range calls() {
			var told *otp.StatusError
			if err := call(t.Context(), s.client("root")); !errors.As(err, &told) || told.Code != status {
				t.Errorf("%d to %s: %v", status, name, err)
			}
		}
	}
	if n := followed.Load(); n != 0 {
		t.Errorf("%d requests, and our tokens, went elsewhere", n)
	}
}

func TestOneConnectionIsKeptForAllCalls(t *testing.T) {
	s := open(t)
	root := s.client("root")
	for range 10 {
		for name, call := range calls() {
			if name != "Delete" {
				_ = call(t.Context(), root) // refused ones keep it, too
			}
		}
	}
	if n := s.dialled(); n != 1 {
		t.Errorf("%d connections for %d requests", n, len(s.asked()))
	}
}

func TestManyAtOnceShareWhatConnectionsTheyNeed(t *testing.T) {
	const together = 16
	s := open(t)
	shop := s.client("shop")
	show := token(t, s.client("printer"))
	for range 5 {
		var all sync.WaitGroup
		for range together {
			all.Go(func() {
				if err := shop.Verify(t.Context(), "printer", "office", show); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if n := s.dialled(); n > 2*together {
		t.Errorf("%d connections for %d requests", n, len(s.asked()))
	}
}

func TestNoErrorShowsASeedOrAToken(t *testing.T) {
	s := open(t)
	root := s.client("root")
	root.Token = "831904"
	s.Close()
	for name, call := range calls() {
		if err := call(t.Context(), root); err == nil || strings.Contains(err.Error(), rootSeed) || strings.Contains(err.Error(), root.Token) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
