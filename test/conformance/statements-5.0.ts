import { parseStatements } from './statement.ts'

/**
 * Every normative statement of MQTT 5.0 (OASIS Standard, 7 March 2019), in the order of the specification, paraphrased: the 251
 * of its appendix B. Its body prints two of the ids otherwise: `[MQTT-4.2-1]` is MQTT-4.2.0-1 here, as in the appendix.
 */
export const statements50 = parseStatements(`
1.5.4-1 both Strings are well-formed UTF-8 without surrogates (U+D800 to U+DFFF).
1.5.4-2 both Strings do not contain U+0000.
1.5.4-3 both The bytes EF BB BF mean U+FEFF wherever they stand and are never skipped or stripped.
1.5.5-1 both A variable byte integer takes as few bytes as its value needs.
1.5.7-1 both Both strings of a string pair are valid UTF-8 strings.
2.1.3-1 both Reserved flag bits have the value that the table of flag bits lists.
2.2.1-2 both A PUBLISH at QoS 0 carries no packet identifier.
2.2.1-3 client A client gives each new SUBSCRIBE, UNSUBSCRIBE and PUBLISH at QoS 1 or 2 an unused identifier that is not zero.
2.2.1-4 server A server gives each new PUBLISH at QoS 1 or 2 an unused identifier that is not zero.
2.2.1-5 both PUBACK, PUBREC, PUBREL and PUBCOMP carry the identifier of the PUBLISH they belong to.
2.2.1-6 server SUBACK and UNSUBACK carry the identifier of the SUBSCRIBE or UNSUBSCRIBE they answer.
2.2.2-1 both A packet without properties says so by a property length of zero.
3.1.0-1 client The first packet on a connection is CONNECT.
3.1.0-2 server A second CONNECT is a protocol error: the connection is closed.
3.1.2-1 server The protocol name is MQTT; for another the server may send CONNACK 0x84 and then closes the connection.
3.1.2-2 server For a version that it does not accept the server may send CONNACK 0x84 and then closes the connection.
3.1.2-3 server A CONNECT whose reserved flag is not zero is malformed.
3.1.2-4 both Clean Start 1 discards an existing session and starts a new one.
3.1.2-5 server Clean Start 0 resumes from an existing session.
3.1.2-6 server Clean Start 0 without a session creates one.
3.1.2-7 server With Will Flag 1 the will is stored with the session.
3.1.2-8 server The will is published once the connection is closed and its delay or the session is over, unless DISCONNECT 0x00 or a new connection within the delay removed it.
3.1.2-9 client With Will Flag 1 the payload has will properties, will topic and will payload.
3.1.2-10 server The will leaves the session state once it was published or DISCONNECT 0x00 came.
3.1.2-11 client With Will Flag 0 Will QoS is 0.
3.1.2-12 client With Will Flag 1 Will QoS is 0, 1 or 2, never 3.
3.1.2-13 client With Will Flag 0 Will Retain is 0.
3.1.2-14 server With Will Retain 0 the will is published as a message that is not retained.
3.1.2-15 server With Will Retain 1 the will is published as a retained message.
3.1.2-16 client With User Name Flag 0 the payload has no user name.
3.1.2-17 client With User Name Flag 1 the payload has a user name.
3.1.2-18 client With Password Flag 0 the payload has no password.
3.1.2-19 client With Password Flag 1 the payload has a password.
3.1.2-20 client With a Keep Alive and nothing else to send, the client sends PINGREQ.
3.1.2-21 client A client that was given Server Keep Alive uses it.
3.1.2-22 server A client that is silent for one and a half times its Keep Alive is disconnected as if the network had failed.
3.1.2-23 both The session is stored after the connection closes if the Session Expiry Interval is greater than 0.
3.1.2-24 server No packet to the client is larger than its Maximum Packet Size.
3.1.2-25 server A message too large for the client is discarded and counts as delivered.
3.1.2-26 server No Topic Alias to the client is greater than its Topic Alias Maximum.
3.1.2-27 server Without a Topic Alias Maximum, or with 0, the client is sent no Topic Alias.
3.1.2-28 server Request Response Information 0 keeps Response Information out of CONNACK.
3.1.2-29 server Request Problem Information 0 keeps Reason Strings and User Properties off all packets but PUBLISH, CONNACK and DISCONNECT.
3.1.2-30 client A client that named an Authentication Method sends only AUTH and DISCONNECT until CONNACK.
3.1.3-1 client The fields of the CONNECT payload come in the order client identifier, will properties, will topic, will payload, user name, password.
3.1.3-2 both The client identifier identifies the session state on both sides.
3.1.3-3 client The client identifier is present and is the first field of the payload.
3.1.3-4 client The client identifier is a UTF-8 string.
3.1.3-5 server Client identifiers of 1 to 23 bytes of digits and Latin letters are allowed.
3.1.3-6 server A server that allows an empty client identifier assigns a unique one.
3.1.3-7 server It then goes on as if the client had sent that identifier, and returns it in CONNACK.
3.1.3-8 server For a client identifier that it refuses the server may send CONNACK 0x85 and then closes the connection.
3.1.3-9 server A new connection to the session within the will delay keeps the will from being sent.
3.1.3-10 server The User Properties of a will are published in their order.
3.1.3-11 client The will topic is a UTF-8 string.
3.1.3-12 client The user name is a UTF-8 string.
3.1.4-1 server A CONNECT that does not conform closes the connection.
3.1.4-2 server The server may check more, and should authenticate and authorize; a check that fails closes the connection.
3.1.4-3 server A CONNECT under the identifier of a connected client sends that client DISCONNECT 0x8E and closes its connection.
3.1.4-4 server Clean Start is carried out as described.
3.1.4-5 server A valid CONNECT is answered with CONNACK 0x00.
3.1.4-6 server After a refused CONNECT nothing that the client sent behind it is processed, save AUTH.
3.2.0-1 server CONNACK 0x00 comes before any other packet but AUTH.
3.2.0-2 server There is at most one CONNACK on a connection.
3.2.2-1 server Bits 7 to 1 of the acknowledge flags are 0.
3.2.2-2 server Clean Start 1 is accepted with Session Present 0 and code 0x00.
3.2.2-3 server Clean Start 0 is accepted with Session Present 1 if the server has the session, otherwise 0, and code 0x00.
3.2.2-4 client A client without session state that is told Session Present 1 closes the connection.
3.2.2-5 client A client with session state that is told Session Present 0 discards it.
3.2.2-6 server A CONNACK with a code other than zero has Session Present 0.
3.2.2-7 server After a CONNACK with 0x80 or greater the connection is closed.
3.2.2-8 server CONNACK carries one of the connect reason codes.
3.2.2-9 server A server without QoS 1 or 2 announces Maximum QoS.
3.2.2-10 server A server without QoS 1 or 2 still accepts SUBSCRIBE at any QoS.
3.2.2-11 client A client publishes at no QoS above the Maximum QoS it was told.
3.2.2-12 server A Will QoS above what the server can do is refused, CONNACK 0x9B should say so, and the connection is closed.
3.2.2-13 server Will Retain 1 at a server without retained messages is refused, CONNACK 0x9A should say so, and the connection is closed.
3.2.2-14 client A client that was told Retain Available 0 does not publish with RETAIN 1.
3.2.2-15 client No packet to the server is larger than its Maximum Packet Size.
3.2.2-16 server An empty client identifier is answered with an Assigned Client Identifier that no other session uses.
3.2.2-17 client No Topic Alias to the server is greater than its Topic Alias Maximum.
3.2.2-18 client Without a Topic Alias Maximum of the server the client sends no Topic Alias.
3.2.2-19 server CONNACK has no Reason String that would make it larger than the client's Maximum Packet Size.
3.2.2-20 server CONNACK has no User Property that would make it larger than the client's Maximum Packet Size.
3.2.2-21 client A client that was given Server Keep Alive uses it in place of its own.
3.2.2-22 server Without Server Keep Alive the server uses the client's Keep Alive.
3.3.1-1 both DUP is 1 when a PUBLISH is delivered again.
3.3.1-2 both DUP is 0 on every message at QoS 0.
3.3.1-3 server DUP of an outgoing PUBLISH says only whether that PUBLISH is a retransmission.
3.3.1-4 both No PUBLISH has both QoS bits set.
3.3.1-5 server A PUBLISH with RETAIN 1 replaces the retained message of its topic.
3.3.1-6 server An empty retained message is handed on as usual, and it removes the retained message of its topic.
3.3.1-7 server An empty retained message is not stored.
3.3.1-8 server A PUBLISH with RETAIN 0 neither stores nor removes nor replaces a retained message.
3.3.1-9 server Retain Handling 0 sends the retained messages that match.
3.3.1-10 server Retain Handling 1 sends the retained messages that match if the subscription did not exist, and otherwise none.
3.3.1-11 server Retain Handling 2 sends no retained messages.
3.3.1-12 server Retain As Published 0 hands messages on with RETAIN 0.
3.3.1-13 server Retain As Published 1 hands messages on with RETAIN as it came.
3.3.2-1 both The topic name is the first field of the variable header and a UTF-8 string.
3.3.2-2 both The topic name contains no wildcard.
3.3.2-3 server The topic name of a PUBLISH to a subscriber matches its filter.
3.3.2-4 server The Payload Format Indicator reaches all subscribers unaltered.
3.3.2-5 server A copy whose Message Expiry Interval is over before its delivery has begun is deleted.
3.3.2-6 server The Message Expiry Interval sent on is the one received less the time the message waited.
3.3.2-7 both No Topic Alias is carried from one connection to another.
3.3.2-8 both No Topic Alias is 0.
3.3.2-9 client No Topic Alias of the client is greater than the Topic Alias Maximum in CONNACK.
3.3.2-10 client The client accepts each Topic Alias from 1 to the maximum in its CONNECT.
3.3.2-11 server No Topic Alias of the server is greater than the Topic Alias Maximum in CONNECT.
3.3.2-12 server The server accepts each Topic Alias from 1 to the maximum in its CONNACK.
3.3.2-13 both The Response Topic is a UTF-8 string.
3.3.2-14 both The Response Topic contains no wildcard.
3.3.2-15 server The Response Topic reaches all subscribers unaltered.
3.3.2-16 server The Correlation Data reach all subscribers unaltered.
3.3.2-17 server All User Properties reach the subscriber unaltered.
3.3.2-18 server User Properties keep their order.
3.3.2-19 both The Content Type is a UTF-8 string.
3.3.2-20 server The Content Type reaches all subscribers unaltered.
3.3.4-1 both A PUBLISH is answered as its QoS demands.
3.3.4-2 server Overlapping subscriptions: the message is delivered with respect to the highest of their QoS.
3.3.4-3 server The Subscription Identifiers of overlapping subscriptions are sent with the message.
3.3.4-4 server A single copy has the Subscription Identifiers of all matching subscriptions, in any order.
3.3.4-5 server Of several copies each has the Subscription Identifier of its subscription.
3.3.4-6 client A PUBLISH to the server has no Subscription Identifier.
3.3.4-7 client No more than the server's Receive Maximum of PUBLISH at QoS 1 and 2 are unacknowledged.
3.3.4-8 client Packets other than PUBLISH are not held up by the server's Receive Maximum.
3.3.4-9 server No more than the client's Receive Maximum of PUBLISH at QoS 1 and 2 are unacknowledged.
3.3.4-10 server Packets other than PUBLISH are not held up by the client's Receive Maximum.
3.4.2-1 both PUBACK carries one of its reason codes.
3.4.2-2 both PUBACK has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.4.2-3 both PUBACK has no User Property that would make it larger than the receiver's Maximum Packet Size.
3.5.2-1 both PUBREC carries one of its reason codes.
3.5.2-2 both PUBREC has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.5.2-3 both PUBREC has no User Property that would make it larger than the receiver's Maximum Packet Size.
3.6.1-1 both The flags of PUBREL are 0010; others are malformed and close the connection.
3.6.2-1 both PUBREL carries one of its reason codes.
3.6.2-2 both PUBREL has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.6.2-3 both PUBREL has no User Property that would make it larger than the receiver's Maximum Packet Size.
3.7.2-1 both PUBCOMP carries one of its reason codes.
3.7.2-2 both PUBCOMP has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.7.2-3 both PUBCOMP has no User Property that would make it larger than the receiver's Maximum Packet Size.
3.8.1-1 both The flags of SUBSCRIBE are 0010; others are malformed and close the connection.
3.8.3-1 client The filters in SUBSCRIBE are UTF-8 strings.
3.8.3-2 client SUBSCRIBE has at least one filter with options.
3.8.3-3 server No Local 1 keeps messages from a connection with the client identifier of their publisher.
3.8.3-4 client No Local 1 on a shared subscription is a protocol error.
3.8.3-5 server Reserved bits in the subscription options that are not zero make SUBSCRIBE malformed.
3.8.4-1 server SUBSCRIBE is answered with SUBACK.
3.8.4-2 server SUBACK carries the identifier of its SUBSCRIBE.
3.8.4-3 server A filter identical to that of an existing subscription that is not shared replaces that subscription.
3.8.4-4 server On replacement Retain Handling 0 sends retained messages again, and no message is lost.
3.8.4-5 server Several filters in one SUBSCRIBE are handled like several SUBSCRIBEs with one SUBACK.
3.8.4-6 server SUBACK has a reason code for each filter.
3.8.4-7 server Each reason code is the QoS granted or the failure.
3.8.4-8 server Messages come at the lower of the QoS published and the QoS granted.
3.9.2-1 server SUBACK has no Reason String that would make it larger than the client's Maximum Packet Size.
3.9.2-2 server SUBACK has no User Property that would make it larger than the client's Maximum Packet Size.
3.9.3-1 server The codes in SUBACK are in the order of the filters in SUBSCRIBE.
3.9.3-2 server SUBACK carries subscribe reason codes.
3.10.1-1 both The flags of UNSUBSCRIBE are 0010; others are malformed and close the connection.
3.10.3-1 client The filters in UNSUBSCRIBE are UTF-8 strings.
3.10.3-2 client UNSUBSCRIBE has at least one filter.
3.10.4-1 server Filters in UNSUBSCRIBE are compared character by character; an exact match deletes the subscription.
3.10.4-2 server After UNSUBSCRIBE no new messages that match are added for the client.
3.10.4-3 server After UNSUBSCRIBE deliveries at QoS 1 and 2 that had begun are completed.
3.10.4-4 server UNSUBSCRIBE is answered with UNSUBACK.
3.10.4-5 server UNSUBACK carries the identifier of its UNSUBSCRIBE and comes even where nothing was deleted.
3.10.4-6 server Several filters in one UNSUBSCRIBE are handled like several UNSUBSCRIBEs with one UNSUBACK.
3.11.2-1 server UNSUBACK has no Reason String that would make it larger than the client's Maximum Packet Size.
3.11.2-2 server UNSUBACK has no User Property that would make it larger than the client's Maximum Packet Size.
3.11.3-1 server The codes in UNSUBACK are in the order of the filters in UNSUBSCRIBE.
3.11.3-2 server UNSUBACK carries unsubscribe reason codes.
3.12.4-1 server PINGREQ is answered with PINGRESP.
3.14.0-1 server No DISCONNECT comes from the server before a CONNACK below 0x80.
3.14.1-1 both Reserved bits of DISCONNECT that are not zero are answered with DISCONNECT 0x81.
3.14.2-1 both DISCONNECT carries one of its reason codes.
3.14.2-2 server DISCONNECT of the server has no Session Expiry Interval.
3.14.2-3 both DISCONNECT has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.14.2-4 both DISCONNECT has no User Property that would make it larger than the receiver's Maximum Packet Size.
3.14.4-1 both Nothing is sent after DISCONNECT.
3.14.4-2 both The sender of DISCONNECT closes the connection.
3.14.4-3 server DISCONNECT 0x00 discards the will without publishing it.
3.15.1-1 both The flags of AUTH are 0000; others are malformed and close the connection.
3.15.2-1 both AUTH carries one of its reason codes.
3.15.2-2 both AUTH has no Reason String that would make it larger than the receiver's Maximum Packet Size.
3.15.2-3 both AUTH has no User Property that would make it larger than the receiver's Maximum Packet Size.
4.1.0-1 both Session state is not discarded while the connection is open.
4.1.0-2 server Session state is discarded once the connection is closed and the Session Expiry Interval is over.
4.2.0-1 both At least one transport is an ordered, lossless stream of bytes in both directions.
4.3.1-1 both QoS 0 is sent as PUBLISH with QoS 0 and DUP 0.
4.3.2-1 both QoS 1 sender: each new message gets an unused identifier.
4.3.2-2 both QoS 1 sender: PUBLISH has that identifier, QoS 1 and DUP 0.
4.3.2-3 both QoS 1 sender: PUBLISH is unacknowledged until PUBACK.
4.3.2-4 both QoS 1 receiver: PUBACK with the identifier once it owns the message.
4.3.2-5 both QoS 1 receiver: after PUBACK the same identifier means a new message, whatever DUP says.
4.3.3-1 both QoS 2 sender: each new message gets an unused identifier.
4.3.3-2 both QoS 2 sender: PUBLISH has that identifier, QoS 2 and DUP 0.
4.3.3-3 both QoS 2 sender: PUBLISH is unacknowledged until PUBREC.
4.3.3-4 both QoS 2 sender: a PUBREC below 0x80 is answered with PUBREL under the same identifier.
4.3.3-5 both QoS 2 sender: PUBREL is unacknowledged until PUBCOMP.
4.3.3-6 both QoS 2 sender: PUBLISH is not sent again after PUBREL.
4.3.3-7 both QoS 2 sender: no message expiry once PUBLISH was sent.
4.3.3-8 both QoS 2 receiver: PUBREC with the identifier once it owns the message.
4.3.3-9 both QoS 2 receiver: after a PUBREC of 0x80 or greater the same identifier means a new message.
4.3.3-10 both QoS 2 receiver: until PUBREL the same identifier is answered with PUBREC and not delivered again.
4.3.3-11 both QoS 2 receiver: PUBREL is answered with PUBCOMP under the same identifier.
4.3.3-12 both QoS 2 receiver: after PUBCOMP the same identifier means a new message.
4.3.3-13 both QoS 2 receiver: the exchange goes on even after the message expired.
4.4.0-1 both On a reconnect with Clean Start 0 to a session, unacknowledged PUBLISH and PUBREL are sent again under their identifiers, and at no other time.
4.4.0-2 both A PUBACK or PUBREC of 0x80 or greater acknowledges the PUBLISH, which is not sent again.
4.5.0-1 server A message is added to the session of every client with a matching subscription.
4.5.0-2 client A client acknowledges every PUBLISH, whether or not it uses the message.
4.6.0-1 client A client sends PUBLISH packets again in their original order.
4.6.0-2 client PUBACK packets are sent in the order in which the messages came.
4.6.0-3 client PUBREC packets are sent in the order in which the messages came.
4.6.0-4 client PUBREL packets are sent in the order in which the PUBREC packets came.
4.6.0-5 server On an ordered topic messages of one client reach a subscriber, per topic and QoS, in the order in which they were received.
4.6.0-6 server For subscriptions that are not shared every topic is an ordered topic.
4.7.0-1 both Wildcards stand in filters, never in topic names.
4.7.1-1 both The multi-level wildcard stands alone or after a separator, and is the last character.
4.7.1-2 both The single-level wildcard takes up a whole level.
4.7.2-1 server Filters that begin with a wildcard do not match topic names that begin with $.
4.7.3-1 both Topic names and filters have at least one character.
4.7.3-2 both Topic names and filters do not contain U+0000.
4.7.3-3 both Topic names and filters have at most 65,535 bytes.
4.7.3-4 server Matching does not normalize or replace characters.
4.8.2-1 client The filter of a shared subscription begins with $share/ and has a share name of at least one character.
4.8.2-2 client The share name has no /, + or #, and is followed by / and a filter.
4.8.2-3 server The QoS granted to each shared subscriber is respected.
4.8.2-4 server A QoS 2 delivery on a shared subscription that a disconnection cut off is completed when that client is back.
4.8.2-5 server If the session of that client ends first, the message goes to no other subscriber.
4.8.2-6 server A PUBACK or PUBREC of 0x80 or greater discards the message, which goes to no other subscriber.
4.9.0-1 both The first send quota is greater than zero and at most the Receive Maximum.
4.9.0-2 both At a send quota of zero no PUBLISH at QoS 1 or 2 is sent.
4.9.0-3 both At a send quota of zero all other packets are still processed and answered.
4.12.0-1 server For an Authentication Method that it does not support the server may send CONNACK 0x8C or 0x87 and then closes the connection.
4.12.0-2 server An AUTH that asks for more data carries 0x18.
4.12.0-3 client The client answers AUTH with an AUTH that carries 0x18.
4.12.0-4 server The server may refuse at any step with a CONNACK of 0x80 or greater, and closes the connection.
4.12.0-5 both All AUTH and a successful CONNACK name the Authentication Method of CONNECT.
4.12.0-6 server Without an Authentication Method in CONNECT the server sends no AUTH and no method in CONNACK.
4.12.0-7 client Without an Authentication Method in CONNECT the client sends no AUTH.
4.12.1-1 client A re-authentication names the Authentication Method of CONNECT.
4.12.1-2 both A re-authentication that fails should be answered with DISCONNECT and closes the connection.
4.13.1-1 server A malformed packet or a protocol error that has a reason code closes the connection.
4.13.2-1 both A CONNACK or DISCONNECT of 0x80 or greater means that the connection is closed, whether or not it was sent.
6.0.0-1 both Over WebSocket packets travel in binary frames; another data frame closes the connection.
6.0.0-2 both A WebSocket frame may hold several packets or parts of one; frame boundaries mean nothing.
6.0.0-3 client The client offers the WebSocket subprotocol mqtt.
6.0.0-4 server The WebSocket subprotocol that the server selects is mqtt.
`)
