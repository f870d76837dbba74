package touchstream.bench;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.KeyValue;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.ContextualProcessor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.Stores;
import org.apache.kafka.streams.state.WindowStore;

/**
 * Rolling NPS, 5 minutes by 1 minute, per tenant, touchpoint, channel and device, exactly once.
 *
 * <p>{@code repartition} is what the Streams DSL makes of it: answers are sent by series through a topic, so that each series has
 * one owner. {@code local} spares that way: each partition keeps its own sums, which a reader would still have to add up. It is less
 * than the processor does, and faster; the comparison is against the faster of the two.
 */
public final class RollingNps {
    private static final Duration SIZE = Duration.ofMinutes(5);
    private static final Duration ADVANCE = Duration.ofMinutes(1);
    private static final Duration GRACE = Duration.ofMinutes(10);

    public static void main(String[] arguments) throws Exception {
        String brokers = arguments[0];
        String input = arguments[1];
        String output = arguments[2];
        String application = arguments[3];
        Schema schema = new Schema.Parser().parse(Files.readString(Path.of(arguments[4])));
        String variant = arguments[5];
        String commitInterval = arguments[6];
        String threads = arguments[7];
        String directory = arguments[8];

        Topology topology = variant.equals("local")
            ? local(input, output, schema)
            : repartitioned(input, output, schema);

        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, brokers);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, directory);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, commitInterval);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, threads);
        settings.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 128L << 20);
        settings.put(StreamsConfig.BUFFERED_RECORDS_PER_PARTITION_CONFIG, 20_000);
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        settings.put(StreamsConfig.DEFAULT_TIMESTAMP_EXTRACTOR_CLASS_CONFIG, EventTime.class);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG), "earliest");
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_POLL_RECORDS_CONFIG), 10_000);
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.MAX_PARTITION_FETCH_BYTES_CONFIG), 4 << 20);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 256 << 10);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.LINGER_MS_CONFIG), 20);

        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            return org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse
                .SHUTDOWN_APPLICATION;
        });
        streams.start();
    }

    /** The event's time, not Kafka's. */
    public static final class EventTime implements org.apache.kafka.streams.processor.TimestampExtractor {
        @Override
        public long extract(org.apache.kafka.clients.consumer.ConsumerRecord<Object, Object> record, long partitionTime) {
            return record.value() instanceof Event event ? event.time : record.timestamp();
        }
    }

    /** One reader for each partition's task: it keeps what it is reading. */
    private static Consumed<byte[], Event> consumed(Schema schema) {
        Serde<Event> serde = Serdes.serdeFrom((topic, event) -> null, new PerThread(schema));
        return Consumed.with(Serdes.ByteArray(), serde);
    }

    private static final class PerThread implements org.apache.kafka.common.serialization.Deserializer<Event> {
        private final ThreadLocal<Event.Reader> readers;

        PerThread(Schema schema) {
            readers = ThreadLocal.withInitial(() -> new Event.Reader(schema));
        }

        @Override
        public Event deserialize(String topic, byte[] bytes) {
            return readers.get().deserialize(topic, bytes);
        }
    }

    private static Topology repartitioned(String input, String output, Schema schema) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(input, consumed(schema))
            .filter((key, event) -> event.counts)
            .map((key, event) -> KeyValue.pair(event.series, (short) event.score))
            .groupByKey(Grouped.with("by-series", Serdes.String(), Serdes.Short()))
            .windowedBy(TimeWindows.ofSizeAndGrace(SIZE, GRACE).advanceBy(ADVANCE))
            .aggregate(() -> Scores.NONE, (series, score, sum) -> sum.with(score),
                Materialized.<String, Scores, WindowStore<org.apache.kafka.common.utils.Bytes, byte[]>>as("nps")
                    .withKeySerde(Serdes.String()).withValueSerde(Scores.serde()).withCachingEnabled())
            .toStream((window, sum) -> window.key() + '\u001f' + window.window().end())
            .to(output, Produced.with(Serdes.String(), Scores.serde()));
        return builder.build();
    }

    private static Topology local(String input, String output, Schema schema) {
        StreamsBuilder builder = new StreamsBuilder();
        builder.addStateStore(Stores.windowStoreBuilder(
            Stores.inMemoryWindowStore("nps", SIZE.plus(GRACE), SIZE, false), Serdes.String(), Scores.serde())
            .withCachingEnabled());
        builder.stream(input, consumed(schema)).process(Local::new, "nps")
            .to(output, Produced.with(Serdes.String(), Scores.serde()));
        return builder.build();
    }

    /** Adds an answer to each of the five windows that it lies in, and sends the changed windows once a second. */
    private static final class Local extends ContextualProcessor<byte[], Event, String, Scores> {
        private record Window(String series, long start) { }

        private final Map<Window, Scores> changed = new HashMap<>();
        private WindowStore<String, Scores> store;

        @Override
        public void init(ProcessorContext<String, Scores> context) {
            super.init(context);
            store = context.getStateStore("nps");
            context.schedule(Duration.ofSeconds(1), PunctuationType.WALL_CLOCK_TIME, now -> send());
        }

        @Override
        public void process(Record<byte[], Event> record) {
            Event event = record.value();
            if (!event.counts) {
                return;
            }
            long advance = ADVANCE.toMillis();
            long last = event.time - Math.floorMod(event.time, advance);
            for (long start = last - SIZE.toMillis() + advance; start <= last; start += advance) {
                Scores sum = store.fetch(event.series, start);
                Scores next = (sum == null ? Scores.NONE : sum).with(event.score);
                store.put(event.series, next, start);
                changed.put(new Window(event.series, start), next);
            }
        }

        private void send() {
            changed.forEach((window, sum) -> context().forward(new Record<>(
                window.series + '\u001f' + (window.start + SIZE.toMillis()), sum, window.start)));
            changed.clear();
        }
    }

    private RollingNps() { }
}
