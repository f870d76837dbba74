package touchstream.bench;

import java.nio.ByteBuffer;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;

/** Answers, promoters and detractors of a window. */
record Scores(int answers, int promoters, int detractors) {
    static final Scores NONE = new Scores(0, 0, 0);

    Scores with(int score) {
        return new Scores(answers + 1, promoters + (score >= 9 ? 1 : 0), detractors + (score <= 6 ? 1 : 0));
    }

    static Serde<Scores> serde() {
        Serializer<Scores> writer = (topic, scores) -> scores == null ? null
            : ByteBuffer.allocate(12).putInt(scores.answers).putInt(scores.promoters).putInt(scores.detractors).array();
        Deserializer<Scores> reader = (topic, bytes) -> {
            if (bytes == null) {
                return null;
            }
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            return new Scores(buffer.getInt(), buffer.getInt(), buffer.getInt());
        };
        return Serdes.serdeFrom(writer, reader);
    }
}
