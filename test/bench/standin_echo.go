package main

import (
	amqp "github.com/rabbitmq/amqp091-go"
)

// echoName is the service name of the stand-in's echo.
const echoName = "echo"

// serveEcho answers every call on the bus with one result: a message taken, a
// message published, an acknowledgement.
func serveEcho(url string) error {
	conn, err := amqp.Dial(url)
	if err != nil {
		return err
	}
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if err := ch.ExchangeDeclare("nameko-rpc", "topic", true, false, false, false, nil); err != nil {
		return err
	}
	if _, err := ch.QueueDeclare("rpc-"+echoName, true, false, false, false, nil); err != nil {
		return err
	}
	if err := ch.QueueBind("rpc-"+echoName, echoName+".*", "nameko-rpc", false, nil); err != nil {
		return err
	}
	if err := ch.Qos(10, 0, false); err != nil {
		return err
	}
	calls, err := ch.Consume("rpc-"+echoName, "", false, false, false, false, nil)
	if err != nil {
		return err
	}
	go echo(ch, calls)
	return nil
}

func echo(ch *amqp.Channel, calls <-chan amqp.Delivery) {
	for d := range calls {
		err := ch.Publish("nameko-rpc", d.ReplyTo, false, false, amqp.Publishing{
			ContentType: "application/json", ContentEncoding: "utf-8", DeliveryMode: amqp.Persistent, CorrelationId: d.CorrelationId,
			Body: []byte(`{"result":{"status":"OK"},"error":null}`),
		})
		if err == nil {
			_ = d.Ack(false) // the connection is gone, or it arrives
		}
	}
}
