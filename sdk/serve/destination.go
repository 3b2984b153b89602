package serve

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"bellcrank.example/sdk"
	"bellcrank.example/sdk/internal/wire"
	"bellcrank.example/sdk/internal/wire/destinationv1"
)

// destination answers the gateway's deliveries.
type destination struct {
	destinationv1.UnimplementedDestinationServer

	server    *server
	deliverer deliverer
}

// Deliver says what is to be done next. What goes wrong in here is no fault of
// the target's, and told by a status: the delivery is tried again.
func (d *destination) Deliver(ctx context.Context, m *destinationv1.DeliverRequest) (answer *destinationv1.DeliverResponse, err error) {
	d.server.inFlight.Add(1)
	defer d.server.inFlight.Add(-1)
	if nanos := m.GetDeadlineUnixNano(); nanos != 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, time.Unix(0, nanos))
		defer cancel()
	}
	defer func() {
		if cause := recover(); cause != nil {
			fmt.Fprintf(d.server.stderr, "panic in delivery %s: %v\n%s", m.GetId(), cause, debug.Stack())
			answer, err = nil, status.Errorf(codes.Internal, "the plugin panicked: %v", cause)
		}
	}()
	step, err := d.step(ctx, m)
	if err != nil {
		return nil, status.Error(codes.Internal, cutCause(err))
	}
	return wire.FromStep(step), nil
}

func (d *destination) step(ctx context.Context, m *destinationv1.DeliverRequest) (sdk.Step, error) {
	delivery, err := wire.ToDelivery(m)
	if err != nil {
		return sdk.Step{}, err
	}
	d.server.mu.RLock()
	delivery.Settings = d.server.settings[delivery.Destination]
	d.server.mu.RUnlock()
	return d.deliverer.Deliver(ctx, delivery)
}

func cutCause(err error) string {
	message := err.Error()
	return message[:min(len(message), maxCause)]
}
