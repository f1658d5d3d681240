// see MessageBatch
