"""Caffe's messages: the schema and its classes (caffe_pb2), text form (text), files (files), old dialects (upgrade)."""
