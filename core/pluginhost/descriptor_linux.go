package pluginhost

// runsByDescriptor: what was hashed is what runs.
const runsByDescriptor = true
