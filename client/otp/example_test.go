package otp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/djauthy/djauthy/client/otp"
)

// A service asks whether the token is good that another has shown.
func ExampleClient() {
	server := serve() // in place of https://login.example.org
	defer server.Close()

	shop := &otp.Client{Name: "shop", Realm: "ungleich-auth", Seed: shopSeed, Server: server.URL + "/ungleichotp/"}
	printer := &otp.Client{Name: "printer", Realm: "office", Seed: printerSeed}

	token, err := printer.NewToken()
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := shop.Verify(context.Background(), "printer", "office", token); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("it is the printer of the office")
	// Output: it is the printer of the office
}

func ExampleClient_Verify() {
	server := serve()
	defer server.Close()
	shop := &otp.Client{Name: "shop", Realm: "ungleich-auth", Seed: shopSeed, Server: server.URL + "/ungleichotp/"}

	switch err := shop.Verify(context.Background(), "printer", "office", "no token"); {
	case err == nil:
		fmt.Println("verified")
	case errors.Is(err, otp.ErrRefused):
		fmt.Println("not the printer")
	case errors.Is(err, otp.ErrCredentials):
		fmt.Println("our own seed or clock is wrong")
	default:
		fmt.Println("ask again later:", err)
	}
	// Output: not the printer
}

// Only services of the realm office reach the handler, which learns which one calls.
func ExampleClient_Require() {
	server := serve()
	defer server.Close()
	shop := &otp.Client{Name: "shop", Realm: "ungleich-auth", Seed: shopSeed, Server: server.URL + "/ungleichotp/"}

	orders := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, _ := otp.From(r.Context())
		_, _ = fmt.Fprintf(w, "orders for %s of %s", who.Name, who.Realm)
	})
	site := httptest.NewServer(shop.Require("office")(orders))
	defer site.Close()

	printer := &otp.Client{Name: "printer", Realm: "office", Seed: printerSeed}
	request, err := http.NewRequest(http.MethodGet, site.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, sign := range []func(*http.Request) error{func(*http.Request) error { return nil }, printer.Sign} {
		if err := sign(request); err != nil {
			fmt.Println(err)
			return
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println(err)
			return
		}
		text, _ := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		fmt.Println(answer.StatusCode, string(text))
	}
	// Output:
	// 403 {"detail":"Incorrect authentication credentials."}
	//
	// 200 orders for printer of office
}

// A caller shows who it is in the header of each request.
func ExampleClient_Sign() {
	printer := &otp.Client{
		Name: "printer", Realm: "office", Seed: printerSeed,
		Now: func() time.Time { return time.Unix(1111111111, 0) }, // leave it out for the time that it is
	}
	request, err := http.NewRequest(http.MethodGet, "https://shop.example.org/orders", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := printer.Sign(request); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(request.Header.Get("Authorization"))
	// Output: OTP name="printer", realm="office", token="050471"
}

// An administrator adds a service, hands its seed on, and removes it.
func ExampleEntry() {
	server := serve()
	defer server.Close()
	root := &otp.Client{Name: "root", Realm: "ungleich-admin", Seed: rootSeed, Server: server.URL + "/ungleichotp/"}

	scanner, err := root.Create(context.Background(), "scanner", "office")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scanner.Name, "of", scanner.Realm, "has a seed:", scanner.Seed != "")
	if err := root.Delete(context.Background(), scanner.ID); err != nil {
		fmt.Println(err)
	}
	// Output: scanner of office has a seed: true
}

// A handler behind Require knows who calls.
func ExampleIdentity() {
	handler := func(w http.ResponseWriter, r *http.Request) {
		who, ok := otp.From(r.Context())
		_, _ = fmt.Fprint(w, who.Name, " ", ok)
	}
	// Without Require in front of it there is nobody.
	answer := httptest.NewRecorder()
	handler(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	fmt.Println(answer.Body)
	// Output: false
}

// An answer that has no meaning in the wire comes with its status.
func ExampleStatusError() {
	server := httptest.NewServer(http.NotFoundHandler()) // no djauthy
	defer server.Close()
	shop := &otp.Client{Name: "shop", Realm: "ungleich-auth", Seed: shopSeed, Server: server.URL + "/"}

	err := shop.Verify(context.Background(), "printer", "office", "123456")
	var status *otp.StatusError
	if errors.As(err, &status) {
		fmt.Println(status.Code)
	}
	// Output: 404
}
