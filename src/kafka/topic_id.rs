//! A topic's id: the one thing about a topic that survives neither deletion nor luck, and that rdkafka's safe API does not give.
//!
//! The only unsafe code of the program: one call of librdkafka (DescribeTopics), each of whose objects is freed by a guard.
//! It does nothing else with the client.

#![expect(unsafe_code, reason = "rdkafka wraps no DescribeTopics; librdkafka has it, and the client's own connections with it")]

use std::{
    ffi::{CStr, CString},
    ptr,
    time::Duration,
};

use rdkafka::{
    admin::AdminClient,
    bindings::{
        RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT, rd_kafka_DescribeTopics, rd_kafka_DescribeTopics_result_topics,
        rd_kafka_TopicCollection_destroy, rd_kafka_TopicCollection_of_topic_names, rd_kafka_TopicCollection_t,
        rd_kafka_TopicDescription_error, rd_kafka_TopicDescription_topic_id, rd_kafka_Uuid_least_significant_bits,
        rd_kafka_Uuid_most_significant_bits, rd_kafka_error_code, rd_kafka_error_string, rd_kafka_event_DescribeTopics_result,
        rd_kafka_event_destroy, rd_kafka_event_error, rd_kafka_event_error_string, rd_kafka_event_t, rd_kafka_event_type,
        rd_kafka_queue_destroy, rd_kafka_queue_new, rd_kafka_queue_poll, rd_kafka_queue_t,
    },
    client::DefaultClientContext,
    types::RDKafkaRespErr,
};

/// The id of a topic, `None` if there is no such topic. Blocks up to `limit`.
///
/// # Errors
/// What the brokers or the client said, in a line.
pub fn describe(client: &AdminClient<DefaultClientContext>, topic: &str, limit: Duration) -> Result<Option<[u8; 16]>, String> {
    let name = CString::new(topic).map_err(|_| "a topic's name with a NUL".to_owned())?;
    let handle = client.inner().native_ptr();
    // SAFETY: `client` outlives this function and with it `handle`. `name` outlives the collection, which copies it.
    let (queue, topics) = unsafe {
        let mut names = [name.as_ptr()];
        (Queue(rd_kafka_queue_new(handle)), Topics(rd_kafka_TopicCollection_of_topic_names(names.as_mut_ptr(), names.len())))
    };
    // SAFETY: all three are live; the request copies what it needs of them, and a queue is counted by who still answers to it.
    unsafe { rd_kafka_DescribeTopics(handle, topics.0, ptr::null(), queue.0) };
    let limit = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the queue is live. The event, if there is one, is ours to destroy.
    let event = Event(unsafe { rd_kafka_queue_poll(queue.0, limit) });
    if event.0.is_null() {
        return Err(format!("no answer within {limit} ms"));
    }
    read(&event)
}

/// The only topic's id in an answer.
fn read(event: &Event) -> Result<Option<[u8; 16]>, String> {
    // SAFETY: the event is live and not null. All that is read out of it lives as long as it does, and is copied here;
    // the count bounds the array; what may be null is looked at first.
    unsafe {
        if rd_kafka_event_error(event.0) != RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Err(text(rd_kafka_event_error_string(event.0)));
        }
        if rd_kafka_event_type(event.0) != RD_KAFKA_EVENT_DESCRIBETOPICS_RESULT {
            return Err("an answer to another question".to_owned());
        }
        let mut count = 0;
        let topics = rd_kafka_DescribeTopics_result_topics(rd_kafka_event_DescribeTopics_result(event.0), &mut count);
        if topics.is_null() || count == 0 {
            return Err("an answer without the topic".to_owned());
        }
        let topic = *topics;
        let error = rd_kafka_TopicDescription_error(topic);
        match if error.is_null() { RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR } else { rd_kafka_error_code(error) } {
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_NO_ERROR => {
                let id = rd_kafka_TopicDescription_topic_id(topic);
                let (most, least) = (rd_kafka_Uuid_most_significant_bits(id), rd_kafka_Uuid_least_significant_bits(id));
                Ok(Some(((u128::from(most.cast_unsigned()) << 64) | u128::from(least.cast_unsigned())).to_be_bytes()))
            }
            RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART => Ok(None),
            _ => Err(text(rd_kafka_error_string(error))),
        }
    }
}

/// A copy of a text of librdkafka's.
///
/// # Safety
/// `text` is null, or points to bytes that end in NUL and live through the call.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

struct Queue(*mut rd_kafka_queue_t);

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_queue_new, destroyed once.
        unsafe { rd_kafka_queue_destroy(self.0) }
    }
}

struct Topics(*mut rd_kafka_TopicCollection_t);

impl Drop for Topics {
    fn drop(&mut self) {
        // SAFETY: made by rd_kafka_TopicCollection_of_topic_names, destroyed once.
        unsafe { rd_kafka_TopicCollection_destroy(self.0) }
    }
}

struct Event(*mut rd_kafka_event_t);

impl Drop for Event {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: handed to us by rd_kafka_queue_poll, destroyed once.
            unsafe { rd_kafka_event_destroy(self.0) }
        }
    }
}
