"""Reflection, as tools such as grpcurl use it: calls without a line of generated code."""

from client import SECONDS
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from mailbox.store.v1 import admin_pb2, store_pb2


def test_services_and_messages_are_told_as_they_are(client):
    database = ProtoReflectionDescriptorDatabase(client.channel)
    told = set(database.get_services())
    ours = {"mailbox.store.v1.StoreService", "mailbox.store.v1.AdminService"}
    assert ours | {"grpc.health.v1.Health"} <= told
    pool = DescriptorPool(database)
    for module in [store_pb2, admin_pb2]:
        for service in module.DESCRIPTOR.services_by_name.values():
            found = pool.FindServiceByName(service.full_name)
            assert [method.name for method in found.methods] == [
                method.name for method in service.methods
            ]
            for method, own in zip(found.methods, service.methods):
                for side in ["input_type", "output_type"]:
                    fields, own_fields = (
                        [(field.number, field.name, field.type) for field in kind.fields]
                        for kind in (getattr(method, side), getattr(own, side))
                    )
                    assert fields == own_fields


def test_a_call_made_of_what_reflection_tells(client):
    client.append(b"told by reflection")
    pool = DescriptorPool(ProtoReflectionDescriptorDatabase(client.channel))
    request = GetMessageClass(pool.FindMessageTypeByName("mailbox.store.v1.FetchRequest"))()
    answer = GetMessageClass(pool.FindMessageTypeByName("mailbox.store.v1.FetchResponse"))
    request.mailbox.sender = client.sender
    request.mailbox.receiver = client.receiver
    request.cursor.SetInParent()
    fetch = client.channel.unary_unary(
        "/mailbox.store.v1.StoreService/Fetch",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    bodies = [message.body for message in fetch(request, timeout=SECONDS).messages]
    assert bodies == [b"told by reflection"]
