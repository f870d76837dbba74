package touchstream.bench;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.kafka.common.serialization.Deserializer;

/** What rolling NPS needs of a feedback event. Texts stay slices of the record, so that most events allocate two objects. */
final class Event {
    String series;
    long time;
    int score;
    boolean counts;

    /**
     * Reads single-object Avro. The schema is compiled into a list of skips once; then a record is one pass over its bytes, which is
     * several times faster than Avro's generic reader.
     */
    static final class Reader implements Deserializer<Event> {
        private static final int LONG = 0;
        private static final int TEXT = 1;
        private static final int BOOLEAN = 2;
        private static final int DOUBLE = 3;
        private static final int TEXTS = 4;
        private static final int MAP = 5;
        private static final int OPTIONAL = 8;
        private static final List<String> WANTED =
            List.of("tenant", "touchpoint", "channel", "device", "type", "traffic", "metric", "respondent");
        private static final byte[] ANSWERED = bytes("feedback.answered");
        private static final byte[] HUMAN = bytes("human");
        private static final byte[] NPS = bytes("nps");
        private static final byte[] EMPLOYEE = bytes("employee");

        private final int[] kinds;
        private final int[] slots;
        private final int time;
        private final int score;
        private final long fingerprint;
        /** Series by the bytes of its four parts: a series is spelled out once, not once per event. */
        private final java.util.HashMap<Slice, String> names = new java.util.HashMap<>();
        private final int[] starts = new int[WANTED.size()];
        private final int[] lengths = new int[WANTED.size()];
        private byte[] data;
        private int at;

        Reader(Schema schema) {
            fingerprint = SchemaNormalization.parsingFingerprint64(schema);
            List<Schema.Field> fields = new ArrayList<>(schema.getFields());
            kinds = fields.stream().mapToInt(field -> kind(field.schema())).toArray();
            slots = fields.stream().mapToInt(field -> WANTED.indexOf(field.name())).toArray();
            time = schema.getField("time").pos();
            score = schema.getField("score").pos();
        }

        private static int kind(Schema schema) {
            return switch (schema.getType()) {
                case INT, LONG -> LONG;
                case STRING, BYTES -> TEXT;
                case BOOLEAN -> BOOLEAN;
                case DOUBLE -> DOUBLE;
                case ARRAY -> TEXTS;
                case MAP -> MAP;
                case UNION -> OPTIONAL | kind(schema.getTypes().get(1));
                default -> throw new IllegalArgumentException("no reader for " + schema);
            };
        }

        @Override
        public Event deserialize(String topic, byte[] bytes) {
            data = bytes;
            if (bytes.length < 10 || bytes[0] != (byte) 0xC3 || bytes[1] != 1 || little(2) != fingerprint) {
                throw new IllegalArgumentException("not a record of this schema");
            }
            at = 10;
            java.util.Arrays.fill(lengths, -1);
            Event event = new Event();
            event.score = -1;
            for (int field = 0; field < kinds.length; field++) {
                int kind = kinds[field];
                if ((kind & OPTIONAL) != 0) {
                    if (number() == 0) {
                        continue;
                    }
                    kind &= ~OPTIONAL;
                }
                switch (kind) {
                    case LONG -> {
                        long value = number();
                        if (field == time) {
                            event.time = value;
                        } else if (field == score) {
                            event.score = (int) value;
                        }
                    }
                    case TEXT -> {
                        int length = (int) number();
                        int slot = slots[field];
                        if (slot >= 0) {
                            starts[slot] = at;
                            lengths[slot] = length;
                        }
                        at += length;
                    }
                    case BOOLEAN -> at += 1;
                    case DOUBLE -> at += 8;
                    case TEXTS -> skipBlocks(1);
                    default -> skipBlocks(2);
                }
            }
            event.counts = event.score >= 0 && is(4, ANSWERED) && is(5, HUMAN) && is(6, NPS) && !is(7, EMPLOYEE);
            if (event.counts) {
                event.series = series();
            }
            return event;
        }

        private String series() {
            int length = 3;
            for (int slot = 0; slot < 4; slot++) {
                length += lengths[slot];
            }
            byte[] parts = new byte[length];
            int to = 0;
            for (int slot = 0; slot < 4; slot++) {
                if (slot > 0) {
                    parts[to++] = 0x1F;
                }
                System.arraycopy(data, starts[slot], parts, to, lengths[slot]);
                to += lengths[slot];
            }
            return names.computeIfAbsent(new Slice(parts), slice -> new String(slice.bytes, StandardCharsets.UTF_8));
        }

        private boolean is(int slot, byte[] text) {
            int start = starts[slot];
            return lengths[slot] == text.length
                && java.util.Arrays.equals(data, start, start + text.length, text, 0, text.length);
        }

        private void skipBlocks(int textsEach) {
            for (long count = number(); count != 0; count = number()) {
                if (count < 0) {
                    at += (int) number();
                    continue;
                }
                for (long text = count * textsEach; text > 0; text--) {
                    at += (int) number();
                }
            }
        }

        private long number() {
            long value = 0;
            for (int shift = 0; ; shift += 7) {
                byte part = data[at++];
                value |= (long) (part & 0x7F) << shift;
                if (part >= 0) {
                    return (value >>> 1) ^ -(value & 1);
                }
            }
        }

        private long little(int start) {
            long value = 0;
            for (int index = 7; index >= 0; index--) {
                value = value << 8 | (data[start + index] & 0xFF);
            }
            return value;
        }

        private static byte[] bytes(String text) {
            return text.getBytes(StandardCharsets.UTF_8);
        }

        private record Slice(byte[] bytes) {
            @Override
            public boolean equals(Object other) {
                return other instanceof Slice slice && java.util.Arrays.equals(bytes, slice.bytes);
            }

            @Override
            public int hashCode() {
                return java.util.Arrays.hashCode(bytes);
            }
        }
    }
}
