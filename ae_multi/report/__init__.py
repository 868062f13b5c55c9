"""Results for people: tables, figures and progress; none of it computes anything."""
