package core

// Proof is what is known of who sent a request.
type Proof struct {
	// Pending says why the signature can't be judged yet; empty: it is right,
	// or none is asked for.
	Pending string
	// How says how the signature was verified, or why it wasn't, for people who
	// ask later.
	How string
	// Delivery recognises a replay by what is signed; zero if the vendor's id
	// isn't. Headers, which anybody can change, count for less.
	Delivery DeliveryKey
}
