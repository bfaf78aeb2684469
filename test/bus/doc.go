// Package bus holds tests of djauthy on a real RabbitMQ, called as nameko calls
// it: by hand, by Python's kombu, and by client/otp/bus.
package bus
