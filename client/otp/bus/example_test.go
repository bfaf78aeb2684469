package bus_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/djauthy/djauthy/client/otp/bus"
)

// An app is known by its UUID, and proves it by a token of its seed.
func ExampleApp() {
	app := bus.App{UUID: "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f", Seed: "JBSWY3DPEHPK3PXP"}
	token, err := app.Token()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(app.UUID, len(token), "digits")
	// Output: 0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f 6 digits
}

// A trusted app asks whether a token is that of another.
func ExampleCaller_Verify() {
	caller, err := bus.Dial("amqp://bus.example.org/", "ungleichotp")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = caller.Close() }()
	shop := bus.App{UUID: "0d1f3c7e-3f0a-4f6e-9d55-3a2b1c0d9e8f", Seed: "JBSWY3DPEHPK3PXP"}
	ok, err := caller.Verify(context.Background(), shop, "f2a4c1de-7b35-4e0c-8d53-9f1b6a7c0e21", "123456")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("verified:", ok)
}

// What the service could not carry out comes back as its exception.
func ExampleRemoteError() {
	var err error = &bus.RemoteError{Type: "MethodNotFound", Value: "revoke"} // as Caller.Call returns it
	var told *bus.RemoteError
	if errors.As(err, &told) {
		fmt.Println(told.Type)
	}
	// Output: MethodNotFound
}
