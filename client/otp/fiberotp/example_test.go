package fiberotp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gofiber/fiber/v2"

	"github.com/djauthy/djauthy/client/otp"
	"github.com/djauthy/djauthy/client/otp/fiberotp"
)

// Only services of the realm office reach the handler.
func Example() {
	login := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"status":"OK"}`)
	})) // in place of https://login.example.org
	defer login.Close()
	shop := &otp.Client{Name: "shop", Realm: "ungleich-auth", Seed: "JBSWY3DPEHPK3PXP", Server: login.URL + "/ungleichotp/"}

	app := fiber.New()
	app.Use(fiberotp.Require(shop, "office"))
	app.Get("/orders", func(f *fiber.Ctx) error {
		who, _ := fiberotp.From(f)
		return f.SendString("orders for " + who.Name)
	})

	printer := &otp.Client{Name: "printer", Realm: "office", Seed: "GEZDGNBVGY3TQOJQ"}
	request := httptest.NewRequest(http.MethodGet, "/orders", nil)
	if err := printer.Sign(request); err != nil {
		fmt.Println(err)
		return
	}
	answer, err := app.Test(request)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = answer.Body.Close() }()
	text, _ := io.ReadAll(answer.Body)
	fmt.Println(answer.StatusCode, string(text))
	// Output: 200 orders for printer
}
