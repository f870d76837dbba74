// The JDBC driver against the embedded server, as Metabase and DBeaver use it: connects, lists tables and columns with their comments, reads
// every view, binds parameters, and is refused where a reader may not write.
//
// Usage: java -cp LIBS Check.java HOST:PORT DATABASE. Exits with 0 when every promise held.

import java.sql.*;
import java.util.*;

public class Check {
    public static void main(String[] arguments) throws Exception {
        String url = "jdbc:clickhouse://" + arguments[0] + "/" + arguments[1];
        Properties reader = new Properties();
        reader.setProperty("user", "reader");
        reader.setProperty("password", "reader");
        try (Connection connection = DriverManager.getConnection(url, reader)) {
            DatabaseMetaData about = connection.getMetaData();
            hold(about.getDatabaseProductName().equals("ClickHouse"), about.getDatabaseProductName());
            hold(!about.getDatabaseProductVersion().isEmpty(), "a version");
            hold(connection.isValid(5), "the connection is valid");

            Map<String, String> tables = new TreeMap<>();
            try (ResultSet found = about.getTables(null, arguments[1], "%", null)) {
                while (found.next()) tables.put(found.getString("TABLE_NAME"), found.getString("REMARKS"));
            }
            hold(tables.size() >= 60, tables.size() + " tables");
            for (String name : List.of("nps", "checkout_funnel_by", "response_times_daily", "events_app")) {
                hold(tables.getOrDefault(name, "").startsWith("One row is"), name + ": " + tables.get(name));
            }
            try (ResultSet found = about.getColumns(null, arguments[1], "nps", "%")) {
                Map<String, String> columns = new LinkedHashMap<>();
                while (found.next()) columns.put(found.getString("COLUMN_NAME"), found.getString("REMARKS"));
                hold(columns.keySet().iterator().next().equals("tenant"), columns.toString());
                hold(columns.get("ci_low").contains("95 %"), columns.toString());
            }

            int read = 0;
            for (String name : tables.keySet()) {
                if (name.startsWith("store_") || name.startsWith(".")) continue;
                try (Statement statement = connection.createStatement();
                        ResultSet rows = statement.executeQuery("SELECT * FROM " + name + " LIMIT 3")) {
                    int columns = rows.getMetaData().getColumnCount();
                    while (rows.next()) {
                        for (int column = 1; column <= columns; column++) rows.getObject(column);
                        read++;
                    }
                } catch (SQLException error) {
                    throw new AssertionError(name, error);
                }
            }
            hold(read >= 3, read + " rows");

            try (PreparedStatement statement = connection.prepareStatement("SELECT n, value, is_final, window_end FROM nps WHERE tenant = ? AND window = ?")) {
                statement.setString(1, "it's");
                statement.setString(2, "1h");
                try (ResultSet rows = statement.executeQuery()) {
                    hold(rows.next(), "a row for the parameters");
                    hold(rows.getLong("n") == 10 && rows.getDouble("value") == 40.0 && rows.getBoolean("is_final"), "its values");
                    hold(rows.getTimestamp("window_end") != null, "its time");
                }
            }
            for (String refused : List.of("DROP TABLE nps", "INSERT INTO store_epochs (epoch) VALUES (9)", "SELECT * FROM missing")) {
                try (Statement statement = connection.createStatement()) {
                    statement.execute(refused);
                    hold(false, refused + " passed");
                } catch (SQLException error) {
                    int wanted = refused.startsWith("SELECT") ? 60 : 164;
                    hold(error.getMessage().contains("Code: " + wanted) || error.getErrorCode() == wanted, error.toString());
                }
            }
        }
        System.out.println("clickhouse-jdbc: all held");
    }

    static void hold(boolean promise, String what) {
        if (!promise) throw new AssertionError(what);
    }
}
